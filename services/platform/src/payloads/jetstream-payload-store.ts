import { ChunkStream } from "../chunks/chunk-stream.js";
import type { NatsLink } from "../nats/connection.js";
import { streams, subjects } from "../nats/subjects.js";
import { type PayloadName, type PayloadStore, payloadNotFound } from "./payload-store.js";

/** What a {@link JetStreamPayloadStore} stands on. */
export interface JetStreamPayloadStoreOptions {
  /** Connection of the user `queue`, which may do everything; or `scheduler`, which may put and get. Stays open. */
  readonly link: NatsLink;
}

/** Payloads in a JetStream stream, which `ensurePayloadStream` makes: a message a chunk, a subject a payload. */
export class JetStreamPayloadStore implements PayloadStore {
  readonly #chunks: ChunkStream;

  constructor({ link }: JetStreamPayloadStoreOptions) {
    this.#chunks = new ChunkStream({ link, stream: streams.payloads, what: "payloads" });
  }

  put(name: PayloadName, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    return this.#chunks.put(subjectOf(name), chunks);
  }

  get(name: PayloadName): AsyncIterable<Uint8Array> {
    return this.#chunks.get(subjectOf(name), () => payloadNotFound(name.reference));
  }

  remove(name: PayloadName): Promise<void> {
    return this.#chunks.remove(subjectOf(name));
  }

  async list(environment: string): Promise<string[]> {
    const filter = subjects.payload(environment, "*");
    return (await this.#chunks.subjects(filter)).map((subject) => subject.slice(filter.length - 1));
  }

  async lastWritten(name: PayloadName): Promise<number | undefined> {
    return (await this.#chunks.end(subjectOf(name)))?.writtenMs;
  }
}

function subjectOf({ environment, reference }: PayloadName): string {
  return subjects.payload(environment, reference);
}
