import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sync } from "../options.js";
import { Client } from "./client.js";
import { descendantEntries, type ProcessEntry, processorMs, processTable } from "./process-table.js";
import { ProcessorUse } from "./processor-use.js";
import type { Program } from "./program.js";
import { Server } from "./server.js";
import { Worker } from "./worker.js";

/** Attempts at once of the worker. */
const concurrency = 100;

/** Where one workload is played: a fresh folder and server, and the worker and client that it asks for. */
export class Stage {
  readonly sync: Sync;
  /** An empty folder beside the data folder. */
  readonly folder: string;
  /** Rejects when a program of the stage ends that nobody asked to. Never resolves. */
  readonly mishap: Promise<never>;
  #fail: (error: unknown) => void = () => {};
  #server: Server | undefined;
  #worker: Worker | undefined;
  #client: Client | undefined;

  private constructor(sync: Sync) {
    this.sync = sync;
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "runlane-bench-")));
    this.mishap = new Promise((_, fail) => {
      this.#fail = fail;
    });
    this.mishap.catch(() => {});
  }

  /** Makes a folder and starts a server on it. */
  static async set(sync: Sync): Promise<Stage> {
    const stage = new Stage(sync);
    try {
      stage.#server = await Server.start(join(stage.folder, "data"), sync);
      stage.#watch(stage.#server.program);
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

  /** Starts a worker of 100 attempts at once. */
  startWorker(): Worker {
    this.#worker = new Worker(this.server.env, concurrency);
    this.#watch(this.#worker.program);
    return this.#worker;
  }

  /** Starts a client. */
  startClient(): Client {
    this.#client = new Client(this.server.env);
    this.#watch(this.#client.program);
    return this.#client;
  }

  /** Starts the server again after it was killed. Resolves when it serves. */
  async restartServer(): Promise<void> {
    this.#server = await this.server.restart(this.sync);
    this.#watch(this.#server.program);
  }

  /** Processor time that everything on the stage has used so far. */
  processorUse(): ProcessorUse {
    return ProcessorUse.now({ client: this.#client?.program.pid, server: this.server.program.pid, worker: this.#worker?.program.pid });
  }

  /** Processor time in milliseconds, resident memory in bytes, and number of all processes of the server: its own, and nats-server. */
  serverUse(): { processorMs: number; memory: number; processes: number } {
    const { pid } = this.server.program;
    const table = processTable();
    const entries = [...table.filter((entry) => entry.pid === pid), ...descendantEntries(pid, table)];
    const sum = (of: (entry: ProcessEntry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
    return { processorMs: sum((entry) => processorMs(entry.pid)), memory: sum((entry) => entry.memory), processes: entries.length };
  }

  /** Ends everything and removes the folder. */
  async clear(): Promise<void> {
    for (const one of [this.#client, this.#worker, this.#server]) await one?.program.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #watch(program: Program): void {
    program.untimelyEnd().catch(this.#fail);
  }
}
