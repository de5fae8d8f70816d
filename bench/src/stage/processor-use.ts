import { cpus } from "node:os";
import { descendantEntries, type ProcessEntry, processorMs, processTable } from "./process-table.js";

/** Process ids of the programs that a stage has started. */
export interface StagePrograms {
  readonly client: number | undefined;
  /** The programs of the server, and with them what they started. */
  readonly servers: readonly number[];
  readonly worker: number | undefined;
}

/** Processor time by part of the system, in milliseconds, and that of the whole machine. */
export class ProcessorUse {
  readonly #parts: ReadonlyMap<string, number>;
  readonly #busy: number;
  readonly #idle: number;

  private constructor(parts: ReadonlyMap<string, number>, busy: number, idle: number) {
    this.#parts = parts;
    this.#busy = busy;
    this.#idle = idle;
  }

  /** What has been used since the programs were started, but for processes that have ended meanwhile. */
  static now(programs: StagePrograms): ProcessorUse {
    const table = processTable();
    const use = new Map<string, number>();
    const add = (part: string, pid: number) => use.set(part, (use.get(part) ?? 0) + processorMs(pid));
    if (programs.client !== undefined) add("client", programs.client);
    for (const server of programs.servers) {
      add(serverPart(table.find(({ pid }) => pid === server)), server);
      for (const child of descendantEntries(server, table)) add(storePart(child), child.pid);
    }
    if (programs.worker !== undefined) {
      add("worker", programs.worker);
      for (const child of descendantEntries(programs.worker, table)) add(workerPart(child), child.pid);
    }
    const times = cpus().map((cpu) => cpu.times);
    const sum = (of: (one: (typeof times)[number]) => number) => times.reduce((total, one) => total + of(one), 0);
    return new ProcessorUse(
      use,
      sum(({ user, nice, sys, irq }) => user + nice + sys + irq),
      sum(({ idle }) => idle),
    );
  }

  /** What was used between `earlier` and this. */
  since(earlier: ProcessorUse): ProcessorUse {
    const parts = new Map(Array.from(this.#parts, ([part, used]) => [part, used - (earlier.#parts.get(part) ?? 0)]));
    return new ProcessorUse(parts, this.#busy - earlier.#busy, this.#idle - earlier.#idle);
  }

  /** In words, for each of `runs` runs, and how much of the machine was used by whatever does not belong to the stage, this process included. */
  perRun(runs: number): string {
    const micros = (milliseconds: number) => Math.round((milliseconds * 1_000) / runs);
    const all = [...this.#parts.values()].reduce((total, used) => total + used, 0);
    const parts = Array.from(this.#parts, ([part, used]) => `${part} ${micros(used)}`).filter((text) => !text.endsWith(" 0"));
    const others = Math.max(0, Math.round((100 * (this.#busy - all)) / (this.#busy + this.#idle)));
    return `cpu µs a run: ${parts.join(", ")}; ${micros(all)} in all. Others used ${others} % of the machine`;
  }
}

function serverPart(entry: ProcessEntry | undefined): string {
  return /--services (\w+)/.exec(entry?.command ?? "")?.[1] ?? "server";
}

function storePart({ command }: ProcessEntry): string {
  return command.includes("redis-server") ? "redis-server" : "nats-server";
}

function workerPart({ command }: ProcessEntry): string {
  if (command.includes("supervisor")) return "supervisor";
  return command.includes("runner") ? "runners" : "builder";
}
