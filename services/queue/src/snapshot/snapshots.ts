import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Logger, NatsCredentials, SnapshotStore } from "@runlane/platform";
import { logLineOf } from "../threads/log-line.js";
import type { SnapshotMessage, SnapshotThreadData } from "./snapshot-messages.js";
import type { WrittenSnapshot } from "./write-snapshot.js";

/** The entry of the thread, as it was built: sources cannot be run by a thread. */
const entry = fileURLToPath(new URL("../../dist/snapshot/snapshot-thread.js", import.meta.url));

/** Snapshots of a partition, as its owner sees them. */
export interface Snapshots {
  /** Where they are. */
  readonly store: SnapshotStore;
  /** Writes one that stands at `to`, which is in the log. One at a time. Rejects if it could not be written; what is half written is swept by the next. */
  write(to: number): Promise<WrittenSnapshot>;
  /** Gives up what is being written. */
  close(): Promise<void>;
}

/** What snapshots need. */
export interface SnapshotsOptions {
  readonly partition: number;
  readonly store: SnapshotStore;
  /** Each snapshot is written over a connection of its own, as the user `queue`. */
  readonly nats: { readonly servers: string | string[] } & NatsCredentials;
  readonly logger: Logger;
}

/**
 * Snapshots that a thread writes, which lives as long as that takes: the owner's loop never stalls, and the second copy of the state is gone when the thread is. The thread has low priority.
 */
export function createSnapshots(options: SnapshotsOptions): Snapshots {
  return new ThreadedSnapshots(options);
}

class ThreadedSnapshots implements Snapshots {
  readonly store: SnapshotStore;
  readonly #options: SnapshotsOptions;
  #worker: Worker | undefined;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.store = options.store;
  }

  async write(to: number): Promise<WrittenSnapshot> {
    if (this.#worker) throw new Error("a snapshot is being written");
    const { partition, nats, logger } = this.#options;
    const worker = new Worker(entry, { workerData: { partition, nats, to, logLevel: logger.level } satisfies SnapshotThreadData, name: "snapshot" });
    this.#worker = worker;
    try {
      return await new Promise((resolve, reject) => {
        worker.on("message", (message: SnapshotMessage) => {
          if (message.kind === "written") return resolve(message.snapshot);
          logLineOf(logger, message.line);
        });
        worker.on("error", reject);
        worker.on("exit", () => reject(new Error("the thread that writes snapshots ended early")));
      });
    } finally {
      this.#worker = undefined;
      // Memory is given back with the thread.
      await worker.terminate();
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}
