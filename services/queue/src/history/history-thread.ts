import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import type { ThreadData } from "./thread-messages.js";

/** Niceness of this thread: whoever triggers and runs goes first. */
const niceness = 10;

if (!parentPort) throw new Error("history-thread.js is the entry of a thread");
lowerPriority();
// Only now: loading what history is made of takes a third of a second, in which a server that comes back has better things to do.
const { serveHistory } = await import("./serve-history.js");
await serveHistory(parentPort, workerData as ThreadData);

/** Linux gives each thread a priority of its own; elsewhere it stays as it is. */
function lowerPriority(): void {
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    if (thread > 0) setPriority(thread, niceness);
  } catch {
    // Not Linux, or not permitted: history then competes as any other thread.
  }
}
