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
import { streams, subjects } from "../nats/subjects.js";
import { type PayloadName, type PayloadStore, payloadNotFound } from "./payload-store.js";

/** How long one request to JetStream may take. Writes wait for the disk. */
const requestMs = 5_000;

/** On the last chunk of a payload: how many bytes the payload has. Without it, a payload is half stored, and nobody's. */
const sizeHeader = "Runlane-Size";

/** How often a chunk is looked for that only the stream's leader has so far, and how long between. */
const lagging = { times: 20, ms: 100 } as const;

/** What a {@link JetStreamPayloadStore} stands on. */
export interface JetStreamPayloadStoreOptions {
  /** Connection of the user `queue`, which may do everything; or `scheduler`, which may put and get. Stays open. */
  readonly link: NatsLink;
}

/**
 * Payloads in a JetStream stream: a message a chunk, a subject a payload.
 *
 * Not an object store as NATS's clients make one: there a removed object leaves a marker for ever, chunks of an interrupted put are found by nobody, and a reader cannot hold the
 * sender back. Chunks are read one by one, by direct gets, as fast as the reader wants them; no consumer stands anywhere.
 *
 * `ensurePayloadStream` makes the stream.
 */
export class JetStreamPayloadStore implements PayloadStore {
  readonly #link: NatsLink;

  constructor({ link }: JetStreamPayloadStoreOptions) {
    this.#link = link;
  }

  async put(name: PayloadName, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    const subject = subjects.payload(name.environment, name.reference);
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

  async *get(name: PayloadName): AsyncGenerator<Uint8Array> {
    const subject = subjects.payload(name.environment, name.reference);
    const fetch = (from: number) => {
      const message = this.#at(subject, from);
      // Nobody waits for the one that is on its way when the reader leaves.
      message.catch(() => {});
      return message;
    };
    for (let coming: Promise<Msg | undefined> | undefined = fetch(1); coming; ) {
      const message: Msg | undefined = await coming;
      if (message === undefined) throw payloadNotFound(name.reference);
      const last: boolean | undefined = message.headers?.has(sizeHeader);
      coming = last ? undefined : fetch(Number(message.headers?.get("Nats-Sequence")) + 1);
      if (message.data.length > 0) yield message.data;
    }
  }

  async remove({ environment, reference }: PayloadName): Promise<void> {
    await this.#ask("STREAM.PURGE", { filter: subjects.payload(environment, reference) });
  }

  async list(environment: string): Promise<string[]> {
    const filter = subjects.payload(environment, "*");
    const references: string[] = [];
    for (;;) {
      const { state, total } = await this.#ask<SubjectPage>("STREAM.INFO", { subjects_filter: filter, offset: references.length });
      const found = Object.keys(state.subjects ?? {});
      for (const subject of found) references.push(subject.slice(filter.length - 1));
      if (found.length === 0 || references.length >= (total ?? 0)) return references;
    }
  }

  async lastWritten({ environment, reference }: PayloadName): Promise<number | undefined> {
    const found = await this.#leaderHas({ last_by_subj: subjects.payload(environment, reference) });
    return found && Date.parse(found.message.time);
  }

  async #write(subject: string, chunk: Uint8Array, size?: number): Promise<void> {
    const header = headers();
    if (size !== undefined) header.set(sizeHeader, String(size));
    try {
      await unlessInterrupted(this.#link, jetStreamPublish(this.#link.connection, subject, chunk, header, { timeoutMs: requestMs }));
    } catch (error) {
      throw refusalOfStore(error);
    }
  }

  /** The first message of a subject from a sequence on; undefined if there is none. */
  async #at(subject: string, from: number): Promise<Msg | undefined> {
    const request = JSON.stringify({ next_by_subj: subject, seq: from });
    for (let times = 0; ; times++) {
      let message: Msg;
      try {
        const { connection } = this.#link;
        message = await unlessInterrupted(this.#link, connection.request(`$JS.API.DIRECT.GET.${streams.payloads}`, request, { timeout: requestMs }));
      } catch (error) {
        throw storeAway(error);
      }
      const status = message.headers?.code ?? 0;
      if (status === 0) return message;
      if (status !== 404) throw storeAway(new Error(`${status} ${message.headers?.description}`));
      // A replica may lag behind what its leader has acknowledged: only the leader knows that there is nothing.
      if ((await this.#leaderHas({ next_by_subj: subject, seq: from })) === undefined) return undefined;
      if (times >= lagging.times) throw storeAway(new Error(`a replica of ${streams.payloads} lags behind`));
      await sleep(lagging.ms);
    }
  }

  async #leaderHas(which: object): Promise<TimedMessage | undefined> {
    try {
      const request = jetStreamRequest<TimedMessage>(this.#link.connection, `STREAM.MSG.GET.${streams.payloads}`, which, { timeoutMs: requestMs });
      return await unlessInterrupted(this.#link, request);
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.noMessage) return undefined;
      throw refusalOfStore(error);
    }
  }

  async #ask<T>(operation: string, body: object): Promise<T> {
    try {
      return await unlessInterrupted(
        this.#link,
        jetStreamRequest<T>(this.#link.connection, `${operation}.${streams.payloads}`, body, { timeoutMs: requestMs }),
      );
    } catch (error) {
      throw refusalOfStore(error);
    }
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

function refusalOfStore(error: unknown): unknown {
  if (error instanceof JetStreamRefusal && isWantOfRoom(error.code)) {
    return refusal("LOG_FULL", "the store of payloads is full; make room for it, then put the payload again", { retryDelayMs: 500, cause: error });
  }
  const unmade = error instanceof JetStreamRefusal && error.code === jetStreamErrors.streamNotFound;
  return unmade || isPassing(error) || error instanceof JetStreamAway ? storeAway(error) : error;
}

function storeAway(cause: unknown): ConnectError {
  return refusal("LOG_UNAVAILABLE", "the store of payloads cannot be reached (is nats-server running?); repeat the request after the delay", {
    retryDelayMs: 500,
    cause,
  });
}
