import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process, as the system's table has it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Resident memory in bytes. */
  readonly memory: number;
  /** The whole command line. */
  readonly command: string;
}

/** All processes of the machine. */
export function processTable(): ProcessEntry[] {
  const lines = execFileSync("ps", ["-Awwo", "pid=,ppid=,rss=,args="], { encoding: "utf8", maxBuffer: 16 << 20 });
  return Array.from(lines.matchAll(/^ *(\d+) +(\d+) +(\d+) +(.*)$/gm), ([, pid, parent, kilobytes, command = ""]) => ({
    pid: Number(pid),
    parent: Number(parent),
    memory: Number(kilobytes) * 1_024,
    command,
  }));
}

/** All descendants of a process, however deep, parents before their children. */
export function descendantEntries(pid: number, table: readonly ProcessEntry[] = processTable()): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  const search = (parent: number) => {
    for (const entry of table) {
      if (entry.parent !== parent) continue;
      found.push(entry);
      search(entry.pid);
    }
  };
  search(pid);
  return found;
}

/** Process ids of all descendants. */
export function descendants(pid: number): number[] {
  return descendantEntries(pid).map((entry) => entry.pid);
}

/** Processor time that a process has used so far, with all its threads, in milliseconds. Resolution 10 ms. 0 for a process that is gone. */
export function processorMs(pid: number): number {
  return process.platform === "linux" ? processorMsOfProc(pid) : processorMsOfPs(pid);
}

function processorMsOfProc(pid: number): number {
  try {
    // The second field, the name, may hold spaces and brackets; user and system time are the 14th and 15th. Linux counts them in hundredths of a second.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

function processorMsOfPs(pid: number): number {
  try {
    return parseProcessorTime(execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" }));
  } catch {
    return 0;
  }
}

/** Milliseconds of what ps calls TIME: `[[days-]hours:]minutes:seconds[.hundredths]`. */
export function parseProcessorTime(text: string): number {
  const [, days = 0, clock = ""] = /^(?:(\d+)-)?(.*)$/.exec(text.trim()) ?? [];
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1_000);
}
