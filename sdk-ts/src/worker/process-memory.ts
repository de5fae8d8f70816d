import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";

/** Memory that processes have for themselves, in MiB, by process id; those that are gone are left out. */
export type MeasureMemory = (pids: readonly number[]) => Map<number, number> | Promise<Map<number, number>>;

/** By /proc on Linux, without the program's own code, which all share; elsewhere by `ps`, which counts that too. */
export const measureMemory: MeasureMemory = process.platform === "linux" ? fromProc : fromPs;

function fromProc(pids: readonly number[]): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const pid of pids) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      sizes.set(pid, (kibibytes(status, /^RssAnon:\s+(\d+) kB$/m) + kibibytes(status, /^RssShmem:\s+(\d+) kB$/m)) / 1_024);
    } catch {
      // It has ended.
    }
  }
  return sizes;
}

function kibibytes(status: string, line: RegExp): number {
  return Number(line.exec(status)?.[1] ?? 0);
}

function fromPs(pids: readonly number[]): Promise<Map<number, number>> {
  return new Promise((resolve) => {
    // It fails if one of them has ended, and tells the others all the same.
    execFile("ps", ["-o", "pid=,rss=", "-p", pids.join(",")], (_, output) => resolve(readPs(output)));
  });
}

/** Reads lines of a process id and KiB. */
export function readPs(output: string): Map<number, number> {
  const lines = output.trim().split("\n");
  return new Map(lines.map((line) => line.trim().split(/\s+/).map(Number)).flatMap(([pid, size]) => (pid && size ? [[pid, size / 1_024] as const] : [])));
}
