/** A snapshot in the store. */
export interface StoredSnapshot {
  /** Its name: chosen by who wrote it, of letters, digits, "-" and "_". */
  readonly name: string;
  /** Bytes of all its chunks; undefined if it is half stored, and so nobody's. */
  readonly bytes: number | undefined;
}

/**
 * Snapshots of a partition, as chunks of bytes. What is in them, and whether it can be trusted, is their reader's business.
 *
 * Every method fails with LOG_UNAVAILABLE if the store cannot be reached.
 */
export interface SnapshotStore {
  /** Stores a snapshot under a name that was never used before. Resolves, with its size in bytes, once it is on disk. Rejects with what `chunks` throws, or LOG_FULL. */
  put(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number>;

  /** Reads a snapshot, chunk by chunk as the reader asks. Throws where one is not there, or no longer. */
  get(name: string): AsyncIterable<Uint8Array>;

  /** Everything that is stored, whole or half, in no order. */
  list(): Promise<StoredSnapshot[]>;

  /** Removes a snapshot, whole or half stored. Resolves if there is none, too. */
  remove(name: string): Promise<void>;
}

/** What a store's `get` throws. */
export class SnapshotMissing extends Error {
  override readonly name = "SnapshotMissing";
}
