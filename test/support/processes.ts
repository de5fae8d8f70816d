import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "./eventually.js";

/** Process ids of all descendants of a process, however deep. */
export function descendants(pid: number): number[] {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] => pairs.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)]);
  return below(pid);
}

/** Whether a process exists and is more than a zombie. */
export function alive(pid: number): boolean {
  try {
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return state !== "" && !state.startsWith("Z");
  } catch {
    return false;
  }
}

/** The command line of a process, or its title if it has set one; empty if there is none. */
export function commandLine(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

/** Process id of the supervisor of a worker, which holds its session; undefined between two. `launcher` is the process that `runlane worker` started. */
export function supervisorOf(launcher: number): number | undefined {
  return descendants(launcher).find((pid) => commandLine(pid).includes("runlane supervisor"));
}

/**
 * Stops a process with all its threads, as a hang does, until SIGCONT. The signal alone is not enough: until the kernel has delivered it, threads on the other cores
 * go on, and may well answer what is asked next. Where there is no /proc it is.
 */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await eventually(`all threads of process ${pid} are stopped`, () => threadStates(pid).every((state) => state === "T"));
}

/** The letters by which the kernel says what the threads of a process do; T is stopped. */
function threadStates(pid: number): string[] {
  if (process.platform !== "linux") return [];
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map((thread) => /.*\) (\S)/s.exec(readFileSync(`${folder}/${thread}/stat`, "utf8"))?.[1] ?? "");
}
