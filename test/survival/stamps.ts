import { appendFileSync } from "node:fs";
import { suspend } from "../support/processes.js";
import { AppendedLines } from "./appended-lines.js";
import { type Entry, entryOf } from "./lines.js";

/** What stands in a file of stamps: what code wrote, or that a process was killed. */
export type Stamp = Entry | { readonly event: "kill"; readonly pid: number };

/** A file into which tasks write when they start and end, and a test when it kills: one write a line, so the lines stand in the order of time, whatever the clock does. */
export class Stamps {
  readonly file: string;
  readonly #lines: AppendedLines;
  readonly #all: Stamp[] = [];

  constructor(file: string) {
    this.file = file;
    this.#lines = new AppendedLines(file);
  }

  /** All until now. */
  read(): readonly Stamp[] {
    for (const line of this.#lines.read()) this.#all.push(stampOf(line));
    return this.#all;
  }

  /** Runs whose code has ended. */
  ended(): Set<string> {
    return new Set(this.read().flatMap((stamp) => (stamp.event === "end" ? [stamp.runId] : [])));
  }

  /**
   * SIGKILLs processes that are in the middle of attempts. They are stopped first, so that nothing is written between the line that says so and their death.
   *
   * @returns how many attempts that ended, or 0 if they were at nothing: then they go on
   */
  async kill(pids: readonly number[]): Promise<number> {
    for (const pid of pids) await suspend(pid);
    const open = openOf(this.read()).filter((entry) => pids.includes(entry.pid)).length;
    if (open > 0) for (const pid of pids) appendFileSync(this.file, `kill ${pid}\n`);
    for (const pid of pids) process.kill(pid, open > 0 ? "SIGKILL" : "SIGCONT");
    return open;
  }
}

/** Reads a line of such a file. */
export function stampOf(line: string): Stamp {
  return line.startsWith("kill ") ? { event: "kill", pid: Number(line.slice(5)) } : entryOf(line);
}

/** The most attempts of a task of which code ran at once: from start to end, or to the kill of their process. */
export function mostOf(taskId: string, stamps: readonly Stamp[]): number {
  let most = 0;
  const open = new Map<string, Entry>();
  for (const stamp of stamps) {
    if (stamp.event !== "kill" && stamp.taskId !== taskId) continue;
    take(open, stamp);
    most = Math.max(most, open.size);
  }
  return most;
}

/** Attempts that have started, and neither ended nor been killed. */
function openOf(stamps: readonly Stamp[]): Entry[] {
  const open = new Map<string, Entry>();
  for (const stamp of stamps) take(open, stamp);
  return [...open.values()];
}

function take(open: Map<string, Entry>, stamp: Stamp): void {
  if (stamp.event === "kill") {
    for (const [key, { pid }] of open) if (pid === stamp.pid) open.delete(key);
  } else if (stamp.event === "start") open.set(keyOf(stamp), stamp);
  else if (stamp.event === "end") open.delete(keyOf(stamp));
}

function keyOf({ runId, attempt, pid }: Entry): string {
  return `${runId} ${attempt} ${pid}`;
}
