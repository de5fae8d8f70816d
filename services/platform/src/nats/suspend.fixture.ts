import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";

/**
 * Stops a process with all its threads, as a hang does, until SIGCONT. The signal alone is not enough: until the kernel has delivered it, threads on the other cores
 * go on, and may well answer what is asked next. Where there is no /proc it is.
 */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await expect.poll(() => threadStates(pid).every((state) => state === "T"), { interval: 1, timeout: 20_000 }).toBe(true);
}

/** The letters by which the kernel says what the threads of a process do; T is stopped. */
function threadStates(pid: number): string[] {
  if (process.platform !== "linux") return [];
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map((thread) => /.*\) (\S)/s.exec(readFileSync(`${folder}/${thread}/stat`, "utf8"))?.[1] ?? "");
}
