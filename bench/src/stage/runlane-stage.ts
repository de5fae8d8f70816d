import { join } from "node:path";
import type { Shape, Sync } from "../options.js";
import { descendantEntries, type ProcessEntry, processorMs, processTable } from "./process-table.js";
import type { Program } from "./program.js";
import { type Server, WholeServer } from "./server.js";
import { concurrency, Stage } from "./stage.js";
import { ThreeProcessServer } from "./three-process-server.js";
import { type Isolation, Worker } from "./worker.js";

/** A stage with Runlane. */
export class RunlaneStage extends Stage {
  #server: Server | undefined;
  #worker: Worker | undefined;

  /** Makes a folder and starts a server on it. */
  static async set(sync: Sync, shape: Shape): Promise<RunlaneStage> {
    const stage = new RunlaneStage();
    const data = join(stage.folder, "data");
    try {
      stage.#server = shape === "three" ? await ThreeProcessServer.start(data) : await WholeServer.start(data, sync);
      stage.#watchServer();
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

  startWorker(isolation: Isolation = "shared"): Worker {
    this.#worker = new Worker(this.server.env, concurrency, isolation);
    this.watch(this.#worker.program);
    return this.#worker;
  }

  /** Starts the server again after it was killed. Resolves when it serves. */
  async restartServer(): Promise<void> {
    this.#server = await this.server.restart();
    this.#watchServer();
  }

  /** All processes of the server: its own, and nats-server. */
  serverProcesses(): ProcessEntry[] {
    const table = processTable();
    return this.servers.flatMap(({ pid }) => [...table.filter((entry) => entry.pid === pid), ...descendantEntries(pid, table)]);
  }

  /** Processor time in milliseconds, resident memory in bytes, and number of all processes of the server. */
  serverUse(): { processorMs: number; memory: number; processes: number } {
    const entries = this.serverProcesses();
    const sum = (of: (entry: ProcessEntry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
    return { processorMs: sum((entry) => processorMs(entry.pid)), memory: sum((entry) => entry.memory), processes: entries.length };
  }

  protected get clientEnvironment(): Record<string, string> {
    return this.server.env;
  }

  protected get servers(): readonly Program[] {
    return this.#server?.programs ?? [];
  }

  #watchServer(): void {
    for (const program of this.servers) this.watch(program);
  }

  protected get worker(): Program | undefined {
    return this.#worker?.program;
  }
}
