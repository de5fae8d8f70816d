import { join } from "node:path";
import type { Sync } from "../options.js";
import { descendantEntries, type ProcessEntry, processorMs, processTable } from "./process-table.js";
import type { Program } from "./program.js";
import { Server } from "./server.js";
import { concurrency, Stage } from "./stage.js";
import { Worker } from "./worker.js";

/** A stage with Runlane. */
export class RunlaneStage extends Stage {
  readonly sync: Sync;
  #server: Server | undefined;
  #worker: Worker | undefined;

  private constructor(sync: Sync) {
    super();
    this.sync = sync;
  }

  /** Makes a folder and starts a server on it. */
  static async set(sync: Sync): Promise<RunlaneStage> {
    const stage = new RunlaneStage(sync);
    try {
      stage.#server = await Server.start(join(stage.folder, "data"), sync);
      stage.watch(stage.#server.program);
      return stage;
    } catch (error) {
      await stage.clear();
      throw error;
    }
  }

  get server(): Server {
    if (!this.#server) throw new Error("there is no server on this stage");
    return this.#server;
  }

  startWorker(): Worker {
    this.#worker = new Worker(this.server.env, concurrency);
    this.watch(this.#worker.program);
    return this.#worker;
  }

  /** Starts the server again after it was killed. Resolves when it serves. */
  async restartServer(): Promise<void> {
    this.#server = await this.server.restart(this.sync);
    this.watch(this.#server.program);
  }

  /** Processor time in milliseconds, resident memory in bytes, and number of all processes of the server: its own, and nats-server. */
  serverUse(): { processorMs: number; memory: number; processes: number } {
    const { pid } = this.server.program;
    const table = processTable();
    const entries = [...table.filter((entry) => entry.pid === pid), ...descendantEntries(pid, table)];
    const sum = (of: (entry: ProcessEntry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
    return { processorMs: sum((entry) => processorMs(entry.pid)), memory: sum((entry) => entry.memory), processes: entries.length };
  }

  protected get clientEnvironment(): Record<string, string> {
    return this.server.env;
  }

  protected get servers(): readonly Program[] {
    return this.#server ? [this.#server.program] : [];
  }

  protected get worker(): Program | undefined {
    return this.#worker?.program;
  }
}
