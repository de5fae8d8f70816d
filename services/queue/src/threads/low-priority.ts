import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Niceness of threads that work in the background: whoever triggers and runs goes first. */
const niceness = 10;

/** Lets everybody else go before this thread. Linux gives each thread a priority of its own; elsewhere it stays as it is. */
export function lowerPriority(): void {
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    if (thread > 0) setPriority(thread, niceness);
  } catch {
    // Not Linux, or not permitted: the thread then competes as any other.
  }
}
