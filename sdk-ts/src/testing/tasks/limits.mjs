import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { heartbeats, OutOfMemoryError, task, timeout } from "../../../dist/index.js";

/** Fills the JavaScript heap. */
task({
  id: "fills-heap",
  machine: "micro",
  run: async () => {
    const kept = [];
    // Few and large, so that a heap that is nearly full is not searched for long.
    for (;;) kept.push(new Array(1_000).fill(kept.length + 0.5));
  },
});
/** Takes memory outside of the heap, 20 MiB at a time, and lets the event loop turn. */
const fillBuffers = async () => {
  const kept = [];
  for (;;) {
    kept.push(Buffer.alloc(20 * 2 ** 20, 1));
    await sleep(20);
  }
};
task({ id: "fills-buffers", machine: "micro", run: fillBuffers });
task({
  id: "says-so",
  machine: "micro",
  retry: { minTimeoutInMs: 1_000, randomize: false, outOfMemory: { machine: "small-1x" } },
  run: async ({ words }) => {
    throw words === undefined ? new OutOfMemoryError() : new Error(words);
  },
});
task({ id: "machine", run: async (_, { ctx }) => ctx.machine });
task({ id: "memory", machine: "micro", run: async () => process.execArgv.filter((arg) => arg.startsWith("--max-old")) });

const block = (milliseconds) => {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
};
task({ id: "blocks", run: async ({ milliseconds }) => block(milliseconds) });
task({ id: "blocks-own", machine: "micro", run: async ({ milliseconds }) => block(milliseconds) });
task({
  id: "yields",
  run: async ({ milliseconds }) => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      block(1);
      await heartbeats.yield();
    }
    return "done";
  },
});
/** Never ends, whatever its signal says; a file tells when that has spoken. */
task({
  id: "deaf",
  run: (payload, { signal }) => {
    signal.addEventListener("abort", () => payload && writeFileSync(payload.aborted, ""));
    return new Promise(() => {});
  },
});
task({ id: "patient", run: async (_, { signal }) => sleep(60_000, undefined, { signal }) });
task({ id: "reason", run: async () => new Promise((_, reject) => timeout.signal.addEventListener("abort", () => reject(new Error(timeout.signal.reason)))) });
task({ id: "pid", run: async () => process.pid });
task({ id: "machine-pid", machine: "small-2x", run: async () => process.pid });
task({
  id: "stays",
  machine: "small-2x",
  run: async ({ milliseconds }) => {
    await sleep(milliseconds);
    return process.pid;
  },
});
/** Says that it has started, and ends when all who should have done so have. */
task({
  id: "meets",
  machine: "small-2x",
  run: async ({ mine, all }) => {
    writeFileSync(mine, "");
    while (!all.every((file) => existsSync(file))) await sleep(5);
    return process.pid;
  },
});
const child = task({ id: "child", run: async (payload) => payload });
task({
  id: "waits-then-stays",
  run: async ({ milliseconds }) => {
    await child.triggerAndWait(1).unwrap();
    await sleep(milliseconds);
    return "done";
  },
});
