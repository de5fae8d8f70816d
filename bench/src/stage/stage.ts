import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./client.js";
import { ProcessorUse } from "./processor-use.js";
import type { Program } from "./program.js";

/** Attempts at once of a worker. */
export const concurrency = 100;

/** Where one workload is played: a fresh folder, a fresh server of some system, and the worker and client that the workload asks for. */
export abstract class Stage {
  /** An empty folder beside the server's data. */
  readonly folder: string;
  /** Rejects when a program of the stage ends that nobody asked to. Never resolves. */
  readonly mishap: Promise<never>;
  #fail: (error: unknown) => void = () => {};
  #client: Client | undefined;

  protected constructor() {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "runlane-bench-")));
    this.mishap = new Promise((_, fail) => {
      this.#fail = fail;
    });
    this.mishap.catch(() => {});
  }

  /** Starts a worker of 100 attempts at once. */
  abstract startWorker(): { readonly program: Program };

  /** Starts a client. */
  startClient(): Client {
    this.#client = new Client(this.clientEnvironment);
    this.watch(this.#client.program);
    return this.#client;
  }

  /** Processor time that everything on the stage has used so far. */
  processorUse(): ProcessorUse {
    return ProcessorUse.now({ client: this.#client?.program.pid, servers: this.servers.map(({ pid }) => pid), worker: this.worker?.pid });
  }

  /** Ends everything and removes the folder. */
  async clear(): Promise<void> {
    for (const program of [this.#client?.program, this.worker, ...this.servers]) await program?.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  /** What a client needs in its environment. */
  protected abstract readonly clientEnvironment: Record<string, string>;
  /** The programs of the server. */
  protected abstract readonly servers: readonly Program[];
  /** The worker, if there is one. */
  protected abstract readonly worker: Program | undefined;

  protected watch(program: Program): void {
    program.untimelyEnd().catch(this.#fail);
  }
}
