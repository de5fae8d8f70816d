import { SnapshotMissing, type SnapshotStore, type StoredSnapshot } from "./snapshot-store.js";

/** Snapshots in memory, for tests: they outlive owners, as a disk does. */
export class MemorySnapshotStore implements SnapshotStore {
  /** The chunks of each snapshot; a test may take some away, or change them. */
  readonly chunks = new Map<string, Uint8Array[]>();
  readonly #sizes = new Map<string, number>();

  async put(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    const stored: Uint8Array[] = [];
    for await (const chunk of chunks) {
      this.chunks.set(name, stored);
      stored.push(Uint8Array.from(chunk));
    }
    const size = stored.reduce((bytes, chunk) => bytes + chunk.length, 0);
    this.#sizes.set(name, size);
    return size;
  }

  async *get(name: string): AsyncGenerator<Uint8Array> {
    const stored = this.chunks.get(name);
    if (!stored || !this.#sizes.has(name)) throw new SnapshotMissing(`snapshot ${name} is not there, or not all of it`);
    yield* stored;
  }

  async list(): Promise<StoredSnapshot[]> {
    return [...this.chunks.keys()].map((name) => ({ name, bytes: this.#sizes.get(name) }));
  }

  async remove(name: string): Promise<void> {
    this.chunks.delete(name);
    this.#sizes.delete(name);
  }
}
