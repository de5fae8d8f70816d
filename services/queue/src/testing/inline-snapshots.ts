import { type Log, MemorySnapshotStore } from "@runlane/platform";
import type { Snapshots } from "../snapshot/snapshots.js";
import { type WrittenSnapshot, writeSnapshot } from "../snapshot/write-snapshot.js";
import { silentLogger } from "./logger.js";

/** Snapshots without a thread of their own, in memory: for logs that are in memory too. */
export class InlineSnapshots implements Snapshots {
  readonly store: MemorySnapshotStore;
  /** What was written, in its order. */
  readonly written: WrittenSnapshot[] = [];
  readonly #log: Log;

  constructor(log: Log, store = new MemorySnapshotStore()) {
    this.#log = log;
    this.store = store;
  }

  async write(to: number): Promise<WrittenSnapshot> {
    const written = await writeSnapshot({ log: this.#log, store: this.store, to, logger: silentLogger });
    this.written.push(written);
    return written;
  }

  async close(): Promise<void> {}
}
