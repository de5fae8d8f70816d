import { ChunkStream } from "../chunks/chunk-stream.js";
import type { NatsLink } from "../nats/connection.js";
import { streams, subjects } from "../nats/subjects.js";
import { SnapshotMissing, type SnapshotStore, type StoredSnapshot } from "./snapshot-store.js";

/** What a {@link JetStreamSnapshotStore} stands on. */
export interface JetStreamSnapshotStoreOptions {
  /** Connection of the user `queue`. Stays open. */
  readonly link: NatsLink;
  readonly partition: number;
}

/** Snapshots in a JetStream stream, which `ensureSnapshotStream` makes: a message a chunk, a subject a snapshot. */
export class JetStreamSnapshotStore implements SnapshotStore {
  readonly #chunks: ChunkStream;
  readonly #partition: number;

  constructor({ link, partition }: JetStreamSnapshotStoreOptions) {
    this.#chunks = new ChunkStream({ link, stream: streams.snapshots, what: "snapshots" });
    this.#partition = partition;
  }

  put(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    return this.#chunks.put(this.#subject(name), chunks);
  }

  get(name: string): AsyncIterable<Uint8Array> {
    return this.#chunks.get(this.#subject(name), () => new SnapshotMissing(`snapshot ${name} is not there, or not all of it`));
  }

  async list(): Promise<StoredSnapshot[]> {
    const filter = this.#subject("*");
    const found: StoredSnapshot[] = [];
    for (const subject of await this.#chunks.subjects(filter)) {
      const end = await this.#chunks.end(subject);
      if (end) found.push({ name: subject.slice(filter.length - 1), bytes: end.size });
    }
    return found;
  }

  remove(name: string): Promise<void> {
    return this.#chunks.remove(this.#subject(name));
  }

  #subject(name: string): string {
    return subjects.snapshot(this.#partition, name);
  }
}
