// biome-ignore-all lint/suspicious/noConsole: what tasks print is looked at
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { AbortTaskRunError, logger, schemaTask, step, task, wait } from "../../../dist/index.js";

task({ id: "echo", run: async (payload) => payload });
task({ id: "context", run: async (_, { ctx }) => ({ ...ctx, frozen: Object.isFrozen(ctx) && Object.isFrozen(ctx.run) }) });
task({
  id: "throws",
  retry: { minTimeoutInMs: 100, randomize: false },
  run: async ({ message, name }) => Promise.reject(Object.assign(new Error(message), { name })),
});
task({ id: "throws-value", run: async (payload) => Promise.reject(payload) });
task({
  id: "aborts",
  run: async () => {
    throw new AbortTaskRunError("no use");
  },
});
task({ id: "returns-function", run: async () => () => {} });
task({
  id: "returns-broken",
  run: async () => ({
    get broken() {
      throw new RangeError("in a getter");
    },
  }),
});
/** Refuses all payloads but numbers, and says later which they are. */
schemaTask({
  id: "checked",
  schema: async (value) => {
    await sleep(1);
    if (typeof value !== "number") throw new TypeError("no number", { cause: "it is a string" });
    return { number: value };
  },
  run: async (payload) => payload,
});
task({ id: "returns-much", run: async (characters) => "x".repeat(characters) });
task({ id: "measures", run: async (payload) => payload.length });
task({
  id: "speaks",
  run: async ({ text }) => {
    console.log(text);
    logger.warn("careful", { about: text });
    await sleep(1);
    console.log("later");
  },
});

/** Ends when its signal says so. */
task({ id: "patient", run: async (_, { signal }) => sleep(60_000, undefined, { signal }) });
/** Never ends, whatever anybody says. */
task({ id: "deaf", run: () => new Promise(() => {}) });
task({ id: "deaf-machine", machine: "micro", run: () => new Promise(() => {}) });
/** Its process, which a test may kill. */
task({ id: "pid", run: async () => process.pid });
task({ id: "parent-pid", run: async () => process.ppid });
task({
  id: "sleeps",
  run: async ({ milliseconds }) => {
    await sleep(milliseconds);
    return "slept";
  },
});
/** Ends when a file is there. */
task({
  id: "gated",
  run: async ({ gate }) => {
    while (!existsSync(gate)) await sleep(5);
    return "through";
  },
});
task({ id: "machine-pid", machine: "micro", run: async () => process.pid });
task({
  id: "own-pid-then-sleep",
  run: async ({ pidFile }) => {
    const { writeFileSync } = await import("node:fs");
    writeFileSync(pidFile, String(process.pid));
    await sleep(60_000);
  },
});

task({
  id: "blocks",
  run: async ({ milliseconds }) => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  },
});
task({ id: "exits", run: async ({ code }) => process.exit(code) });
task({
  id: "exits-later",
  run: async () => {
    setTimeout(() => process.exit(3), 10);
    await sleep(60_000);
  },
});
task({
  id: "uncaught",
  run: async () => {
    setTimeout(() => {
      throw new RangeError("nobody caught this");
    }, 10);
    await sleep(60_000);
  },
});
task({
  id: "unhandled",
  run: async () => {
    void Promise.reject(new RangeError("nobody handled this"));
    await sleep(60_000);
  },
});

const child = task({ id: "child", run: async (payload) => payload });
task({ id: "parent", run: async () => child.triggerAndWait(1).unwrap() });
task({ id: "parent-of-two", run: async () => (await Promise.all([child.triggerAndWait(1).unwrap(), child.triggerAndWait(2).unwrap()])).join() });
task({
  id: "fan-out",
  run: async (count) => {
    const handles = await child.batchTrigger(Array.from({ length: count }, (_, payload) => ({ payload })));
    return handles.runs?.length ?? handles.runCount;
  },
});

/** A step, then a wait for a token. */
task({
  id: "waits",
  run: async () => {
    const first = await step("first", () => process.pid);
    const said = await wait.forToken("waitpoint_1").unwrap();
    return { first, said };
  },
});
