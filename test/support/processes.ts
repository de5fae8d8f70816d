import { execFileSync } from "node:child_process";

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
