import { resolve } from "node:path";
import { inspect } from "node:util";
import { runs, tasks } from "@runlane/sdk";
import type { checksumTree } from "../trigger/checksum-tree.js";
import type { flaky } from "../trigger/flaky.js";
import type { hello } from "../trigger/hello.js";
import type { wordIndex } from "../trigger/word-index.js";

// Triggers the example tasks and shows their runs until each has its result. Takes the repository's folder; exits with 0 if every run completed.
const repository = resolve(process.argv[2] ?? ".");
const began = performance.now();

const handles = await Promise.all([
  tasks.trigger<typeof hello>("hello", { name: "Runlane" }),
  tasks.trigger<typeof flaky>("flaky", { answer: 42 }),
  tasks.trigger<typeof wordIndex>("word-index", { folder: resolve(repository, "docs"), words: 5 }),
  tasks.trigger<typeof checksumTree>("checksum-tree", { folder: resolve(repository, "proto") }),
]);
const completed = await Promise.all(handles.map((handle) => follow(handle.id)));
process.exitCode = completed.every(Boolean) ? 0 : 1;

/** Prints a line for each state of the run, and its result. Resolves to whether it completed. */
async function follow(id: string): Promise<boolean> {
  let shown = "";
  for (;;) {
    const run = await runs.retrieve(id);
    const stands = [run.status, run.attemptCount > 1 && `attempt ${run.attemptCount}`, run.pendingReason && `(${run.pendingReason})`].filter(Boolean).join(" ");
    if (stands !== shown) say(run.taskIdentifier, id, stands, run.isCompleted ? (run.output ?? run.error) : undefined);
    shown = stands;
    if (run.isCompleted) return run.isSuccess;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function say(task: string, id: string, state: string, result: unknown): void {
  const seconds = ((performance.now() - began) / 1_000).toFixed(2).padStart(6);
  process.stdout.write(`${seconds} s  ${task.padEnd(14)} ${id}  ${state}\n`);
  if (result === undefined) return;
  const lines = inspect(result, { breakLength: 140, compact: 4, depth: 6 }).split("\n");
  process.stdout.write(`${lines.map((line) => `            ${line}`).join("\n")}\n`);
}
