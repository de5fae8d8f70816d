import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectError } from "@connectrpc/connect";
import { headers, type Msg } from "@nats-io/transport-node";
import { refusal } from "../errors.js";
import type { NatsLink } from "../nats/connection.js";
import {
  isPassing,
  isWantOfRoom,
  JetStreamAway,
  JetStreamRefusal,
  jetStreamErrors,
  jetStreamPublish,
  jetStreamRequest,
  type StoredMessage,
  unlessInterrupted,
} from "../nats/jetstream-api.js";

/** How long one request to JetStream may take. Writes wait for the disk. */
const requestMs = 5_000;

/** On the last chunk of an object: how many bytes the object has. Without it, an object is half stored, and nobody's. */
const sizeHeader = "Runlane-Size";

/** How often a chunk is looked for that only the stream's leader has so far, and how long between. */
const lagging = { times: 20, ms: 100 } as const;

/** What a {@link ChunkStream} stands on. */
export interface ChunkStreamOptions {
  /** Connection of a user who may do what is asked for. Stays open. */
  readonly link: NatsLink;
  /** Name of the stream. */
  readonly stream: string;
  /** What it is a store of, for messages of errors: "payloads". */
  readonly what: string;
}

/** The end of an object, as the stream's leader sees it. */
export interface ChunkEnd {
  /** When the last chunk was stored, in milliseconds of the Unix epoch. */
  readonly writtenMs: number;
  /** Bytes of the whole object; undefined if it is half stored. */
  readonly size: number | undefined;
}

/**
 * Objects in a JetStream stream: a message a chunk, a subject an object.
 *
 * Not an object store as NATS's clients make one: there a removed object leaves a marker for ever, chunks of an interrupted put are found by nobody, and a reader cannot hold the
 * sender back. Chunks are read one by one, by direct gets, as fast as the reader wants them; no consumer stands anywhere.
 *
 * Every method fails with LOG_UNAVAILABLE if the store cannot be reached.
 */
export class ChunkStream {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #what: string;

  constructor({ link, stream, what }: ChunkStreamOptions) {
    this.#link = link;
    this.#stream = stream;
    this.#what = what;
  }

  /** Stores an object under a subject that was never used before, holding two chunks in memory. Resolves, with its size in bytes, once it is on disk. */
  async put(subject: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    let bytes = 0;
    // The last chunk says that it is the last, so each waits until it is known whether another follows.
    let waiting: Uint8Array = new Uint8Array();
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      if (waiting.length > 0) await this.#write(subject, waiting);
      waiting = chunk;
      bytes += chunk.length;
    }
    await this.#write(subject, waiting, bytes);
    return bytes;
  }

  /** Reads an object, chunk by chunk as the reader asks. Throws what `missing` makes where it, or a part of it, is not there. */
  async *get(subject: string, missing: () => Error): AsyncGenerator<Uint8Array> {
    const fetch = (from: number) => {
      const message = this.#at(subject, from);
      // Nobody waits for the one that is on its way when the reader leaves.
      message.catch(() => {});
      return message;
    };
    for (let coming: Promise<Msg | undefined> | undefined = fetch(1); coming; ) {
      const message: Msg | undefined = await coming;
      if (message === undefined) throw missing();
      const last: boolean | undefined = message.headers?.has(sizeHeader);
      coming = last ? undefined : fetch(Number(message.headers?.get("Nats-Sequence")) + 1);
      if (message.data.length > 0) yield message.data;
    }
  }

  /** Removes an object, whole or half stored. Resolves if there is none, too. */
  async remove(subject: string): Promise<void> {
    await this.#ask("STREAM.PURGE", { filter: subject });
  }

  /** Subjects of everything that a filter matches, whole or half stored. */
  async subjects(filter: string): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const { state, total } = await this.#ask<SubjectPage>("STREAM.INFO", { subjects_filter: filter, offset: found.length });
      const page = Object.keys(state.subjects ?? {});
      found.push(...page);
      if (page.length === 0 || found.length >= (total ?? 0)) return found;
    }
  }

  /** The end of an object as it is now; undefined if there is nothing. */
  async end(subject: string): Promise<ChunkEnd | undefined> {
    const found = await this.#leaderHas({ last_by_subj: subject });
    if (!found) return undefined;
    const { time, hdrs } = found.message;
    const size = hdrs && new RegExp(`^${sizeHeader}: *(\\d+)`, "m").exec(Buffer.from(hdrs, "base64").toString())?.[1];
    return { writtenMs: Date.parse(time), size: size ? Number(size) : undefined };
  }

  async #write(subject: string, chunk: Uint8Array, size?: number): Promise<void> {
    const header = headers();
    if (size !== undefined) header.set(sizeHeader, String(size));
    try {
      await unlessInterrupted(this.#link, jetStreamPublish(this.#link.connection, subject, chunk, header, { timeoutMs: requestMs }));
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** The first message of a subject from a sequence on; undefined if there is none. */
  async #at(subject: string, from: number): Promise<Msg | undefined> {
    const request = JSON.stringify({ next_by_subj: subject, seq: from });
    for (let times = 0; ; times++) {
      let message: Msg;
      try {
        const { connection } = this.#link;
        message = await unlessInterrupted(this.#link, connection.request(`$JS.API.DIRECT.GET.${this.#stream}`, request, { timeout: requestMs }));
      } catch (error) {
        throw this.#away(error);
      }
      const status = message.headers?.code ?? 0;
      if (status === 0) return message;
      if (status !== 404) throw this.#away(new Error(`${status} ${message.headers?.description}`));
      // A replica may lag behind what its leader has acknowledged: only the leader knows that there is nothing.
      if ((await this.#leaderHas({ next_by_subj: subject, seq: from })) === undefined) return undefined;
      if (times >= lagging.times) throw this.#away(new Error(`a replica of ${this.#stream} lags behind`));
      await sleep(lagging.ms);
    }
  }

  async #leaderHas(which: object): Promise<TimedMessage | undefined> {
    try {
      const request = jetStreamRequest<TimedMessage>(this.#link.connection, `STREAM.MSG.GET.${this.#stream}`, which, { timeoutMs: requestMs });
      return await unlessInterrupted(this.#link, request);
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.noMessage) return undefined;
      throw this.#refusal(error);
    }
  }

  async #ask<T>(operation: string, body: object): Promise<T> {
    try {
      return await unlessInterrupted(this.#link, jetStreamRequest<T>(this.#link.connection, `${operation}.${this.#stream}`, body, { timeoutMs: requestMs }));
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  #refusal(error: unknown): unknown {
    if (error instanceof JetStreamRefusal && isWantOfRoom(error.code)) {
      return refusal("LOG_FULL", `the store of ${this.#what} is full; make room for it, then repeat the request`, { retryDelayMs: 500, cause: error });
    }
    const unmade = error instanceof JetStreamRefusal && error.code === jetStreamErrors.streamNotFound;
    return unmade || isPassing(error) || error instanceof JetStreamAway ? this.#away(error) : error;
  }

  #away(cause: unknown): ConnectError {
    return refusal("LOG_UNAVAILABLE", `the store of ${this.#what} cannot be reached (is nats-server running?); repeat the request after the delay`, {
      retryDelayMs: 500,
      cause,
    });
  }
}

/** A page of the subjects of a stream. */
interface SubjectPage {
  readonly state: { readonly subjects?: Record<string, number> };
  readonly total?: number;
}

interface TimedMessage {
  readonly message: StoredMessage["message"] & { readonly time: string };
}
