import { descendantEntries, type ProcessEntry, processorMs, processTable } from "./process-table.js";

/** Process ids of the programs that a stage has started. */
export interface StagePrograms {
  readonly client: number | undefined;
  readonly server: number;
  readonly worker: number | undefined;
}

/** Processor time by part of the system, in milliseconds. */
export class ProcessorUse {
  readonly #milliseconds: ReadonlyMap<string, number>;

  private constructor(milliseconds: ReadonlyMap<string, number>) {
    this.#milliseconds = milliseconds;
  }

  /** What has been used since the programs were started, but for processes that have ended meanwhile. */
  static now(programs: StagePrograms): ProcessorUse {
    const table = processTable();
    const use = new Map<string, number>();
    const add = (part: string, pid: number) => use.set(part, (use.get(part) ?? 0) + processorMs(pid));
    if (programs.client !== undefined) add("client", programs.client);
    add("server", programs.server);
    for (const child of descendantEntries(programs.server, table)) add("nats-server", child.pid);
    if (programs.worker !== undefined) for (const child of descendantEntries(programs.worker, table)) add(workerPart(child), child.pid);
    return new ProcessorUse(use);
  }

  /** What was used between `earlier` and this. */
  since(earlier: ProcessorUse): ProcessorUse {
    return new ProcessorUse(new Map(Array.from(this.#milliseconds, ([part, used]) => [part, used - (earlier.#milliseconds.get(part) ?? 0)])));
  }

  /** All of it, in milliseconds. */
  get total(): number {
    return [...this.#milliseconds.values()].reduce((sum, used) => sum + used, 0);
  }

  /** In words, for each of `runs` runs: "cpu µs a run: client 10, server 20; 30 in all". */
  perRun(runs: number): string {
    const micros = (milliseconds: number) => Math.round((milliseconds * 1_000) / runs);
    const parts = Array.from(this.#milliseconds, ([part, used]) => `${part} ${micros(used)}`);
    return `cpu µs a run: ${parts.join(", ")}; ${micros(this.total)} in all`;
  }
}

function workerPart({ command }: ProcessEntry): string {
  if (command.includes("supervisor")) return "supervisor";
  return command.includes("runner") ? "runners" : "worker's rest";
}
