import { setTimeout as sleep } from "node:timers/promises";
import { createInbox, headers, type Msg, type MsgHdrs, type Subscription } from "@nats-io/transport-node";
import type { Logger } from "pino";
import type { LinkEvent, NatsLink } from "../nats/connection.js";
import {
  isPassing,
  type JetStreamError,
  JetStreamRefusal,
  jetStreamErrors,
  jetStreamRequest,
  type PublishAck,
  type StoredMessage,
  type StreamInfo,
  unlessInterrupted,
} from "../nats/jetstream-api.js";
import { streams, subjects } from "../nats/subjects.js";
import { type Log, LogClosed, LogConflict, type LogEntry, LogFull } from "./log.js";
import { ensureLogStream } from "./log-stream.js";
import { readStream } from "./stream-reader.js";

/** What a JetStream log is opened with. */
export interface JetStreamLogOptions {
  /** Connection of the user `queue`. Stays open when the log is closed. */
  readonly link: NatsLink;
  /** The partition whose log it is. */
  readonly partition: number;
  /** How many servers keep the records. Default 1; 3 needs a cluster. */
  readonly replicas?: 1 | 3 | 5;
  /** Hears of appends that take long. */
  readonly logger: Logger;
}

/** An append that has no outcome yet. */
interface PendingAppend {
  readonly expected: number;
  readonly record: Uint8Array;
  readonly reply: string;
  readonly since: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
  /** When to send it again, by the monotonic clock. */
  retryAt: number;
  /** How long after the next sending. */
  retryAfterMs: number;
  /**
   * - `sent`: no answer yet
   * - `refused`: NATS answered, but could not take it: it is certain that it reads this connection
   * - `probing`: no answer in time; asking whether NATS reads this connection at all
   * - `settling`: the sequence is taken; finding out by whom
   */
  state: "sent" | "refused" | "probing" | "settling";
}

const firstRetryMs = { silence: 250, refusal: 50 };
const mostRetryMs = 1_000;
const unhealthyAfterMs = 1_000;
/** What the headers and the protocol need of NATS's `max_payload`. */
const overheadBytes = 1_024;

/**
 * The log of a partition in a JetStream stream.
 *
 * Appends are raw publishes with an inbox of their own instead of the client's `js.publish`, which costs three times as much and repeats on its own account.
 * Records must be distinguishable by their bytes from any other writer's (they carry epoch and batch number, or a nonce): that is how an append whose answer
 * was lost is known again.
 */
export class JetStreamLog implements Log {
  readonly #link: NatsLink;
  readonly #logger: Logger;
  readonly #stream: string;
  readonly #subject: string;
  readonly #mostBytes: number;
  readonly #inbox = createInbox(subjects.logInbox);
  readonly #expectation: MsgHdrs = headers();
  readonly #subscription: Subscription;
  readonly #unwatch: () => void;
  readonly #closed = new AbortController();
  #appends = 0;
  #pending: PendingAppend | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #downSince: number | undefined;

  /** Opens the log of a partition, and makes its stream if there is none. Tries for 30 s if NATS is away. */
  static async open(options: JetStreamLogOptions): Promise<JetStreamLog> {
    await ensureLogStream(options.link.connection, options.partition, options.replicas ?? 1);
    return new JetStreamLog(options);
  }

  private constructor(options: JetStreamLogOptions) {
    const { link, partition, logger } = options;
    this.#link = link;
    this.#logger = logger;
    this.#stream = streams.log(partition);
    this.#subject = subjects.log(partition);
    this.#mostBytes = (link.connection.info?.max_payload ?? 1024 * 1024) - overheadBytes;
    this.#downSince = link.up ? undefined : performance.now();
    this.#subscription = link.connection.subscribe(`${this.#inbox}.*`, { callback: (_, message) => this.#answer(message) });
    this.#unwatch = link.watch((event) => this.#linkChanged(event));
  }

  append(expected: number, record: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed.signal.aborted) return reject(this.#closed.signal.reason);
      if (this.#pending) return reject(new Error("an append is under way; a log takes one at a time"));
      if (record.length === 0 || record.length > this.#mostBytes) {
        return reject(new RangeError(`a record has 1 to ${this.#mostBytes} bytes, this one has ${record.length}`));
      }
      const reply = `${this.#inbox}.${(this.#appends++).toString(36)}`;
      const since = performance.now();
      this.#pending = { expected, record, reply, since, resolve, reject, retryAt: 0, retryAfterMs: firstRetryMs.silence, state: "sent" };
      this.#send(this.#pending);
    });
  }

  async *read(from: number): AsyncIterable<LogEntry> {
    this.#mustBeOpen();
    yield* readStream(
      {
        link: this.#link,
        stream: this.#stream,
        closed: this.#closed.signal,
        state: () => this.#state(),
        at: (sequence) => this.at(sequence),
        persist: (task) => this.#persist(task),
      },
      from,
    );
  }

  async at(sequence: number): Promise<Uint8Array | undefined> {
    if (sequence < 1) return undefined;
    try {
      const { message } = await this.#ask<StoredMessage>("STREAM.MSG.GET", { seq: sequence });
      return Buffer.from(message.data ?? "", "base64");
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.noMessage) return undefined;
      throw error;
    }
  }

  async last(): Promise<number> {
    return (await this.#state()).last_seq;
  }

  async purge(to: number): Promise<void> {
    // A purge beyond the end would move the last sequence, and with it the fence.
    const below = Math.min(to, (await this.last()) + 1);
    if (below > 1) await this.#ask("STREAM.PURGE", { seq: below });
  }

  get healthy(): boolean {
    const limit = performance.now() - unhealthyAfterMs;
    return (this.#pending?.since ?? Number.POSITIVE_INFINITY) > limit && (this.#downSince ?? Number.POSITIVE_INFINITY) > limit;
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    const error = new LogClosed("the log was closed");
    this.#closed.abort(error);
    if (this.#pending) this.#fail(this.#pending, error);
    clearTimeout(this.#timer);
    this.#unwatch();
    if (!this.#link.connection.isClosed()) this.#subscription.unsubscribe();
  }

  /** Sends the append, the first time or again: the same bytes with the same expectation, so that at most one of all copies is stored. */
  #send(append: PendingAppend): void {
    append.state = "sent";
    this.#retryIn(append, append.retryAfterMs);
    append.retryAfterMs = Math.min(append.retryAfterMs * 2, mostRetryMs);
    // While the connection is down nothing is sent: the client would keep each copy for later. When it is back this is called again.
    if (!this.#link.up) return;
    this.#expectation.set("Nats-Expected-Last-Sequence", String(append.expected));
    try {
      this.#link.connection.publish(this.#subject, append.record, { headers: this.#expectation, reply: append.reply });
    } catch (error) {
      this.#fail(append, this.#link.connection.isClosed() ? new LogClosed("the connection to NATS is closed", { cause: error }) : (error as Error));
    }
  }

  #answer(message: Msg): void {
    const append = this.#pending;
    if (append?.reply !== message.subject) return;
    // An empty answer is the status 503: nobody takes the subject, as the stream has no leader or is not there yet.
    const answer = message.data.length === 0 ? undefined : message.json<PublishAck & { error?: JetStreamError }>();
    const error = answer?.error;
    if (answer && !error) return this.#commit(append, answer.seq);
    switch (error?.err_code) {
      case jetStreamErrors.wrongLastSequence:
        return void this.#settle(append);
      case jetStreamErrors.storeFailed:
      case jetStreamErrors.storageResources:
      case jetStreamErrors.memoryResources:
      case jetStreamErrors.accountResources:
      case jetStreamErrors.resources:
        return this.#fail(append, new LogFull(error.description));
      case jetStreamErrors.messageTooLarge:
        return this.#fail(append, new RangeError(error.description));
      default:
        // 10163, 10164, 503, and what a server says while it starts: it will pass.
        if (append.state === "settling") return;
        if (append.state !== "refused") append.retryAfterMs = firstRetryMs.refusal;
        append.state = "refused";
        this.#retryIn(append, append.retryAfterMs);
    }
  }

  /** The sequence is taken: by an earlier copy of the same append whose answer was lost, or by another writer. */
  async #settle(append: PendingAppend): Promise<void> {
    if (append.state === "settling") return;
    append.state = "settling";
    const wanted = append.expected + 1;
    try {
      // In this order: what is missing after the last sequence was seen to be beyond it has never been there, or was purged by a later owner.
      const last = await this.last();
      const stored = last >= wanted ? await this.at(wanted) : undefined;
      if (this.#pending !== append) return;
      if (stored && Buffer.compare(stored, append.record) === 0) return this.#commit(append, wanted);
      if (last !== append.expected) {
        const why = last < append.expected ? `the log ends at ${last}: it is shorter than remembered` : `another writer's record has sequence ${wanted}`;
        return this.#fail(append, new LogConflict(`append after ${append.expected} to ${this.#stream}: ${why}`));
      }
      // Replicated streams refuse a copy while the first is still on its way to a majority.
      append.state = "refused";
      append.retryAfterMs = Math.max(append.retryAfterMs, firstRetryMs.refusal);
      this.#retryIn(append, append.retryAfterMs);
    } catch (error) {
      this.#fail(append, error as Error);
    }
  }

  #commit(append: PendingAppend, sequence: number): void {
    if (this.#pending !== append) return;
    this.#pending = undefined;
    const tookMs = performance.now() - append.since;
    if (tookMs > unhealthyAfterMs) this.#logger.warn({ stream: this.#stream, sequence, tookMs }, "an append took long");
    append.resolve(sequence);
  }

  #fail(append: PendingAppend, error: Error): void {
    if (this.#pending !== append) return;
    this.#pending = undefined;
    append.reject(error);
  }

  #linkChanged(event: LinkEvent): void {
    if (event === "down") this.#downSince ??= performance.now();
    if (event === "up") this.#downSince = undefined;
    const append = this.#pending;
    if (!append || append.state === "settling") return;
    if (event === "closed") return this.#fail(append, new LogClosed("the connection to NATS is closed"));
    if (event === "up") {
      append.retryAfterMs = firstRetryMs.silence;
      this.#send(append);
    }
  }

  /** One timer for all appends: it runs into the next one more often than it is set. */
  #retryIn(append: PendingAppend, delayMs: number): void {
    append.retryAt = performance.now() + delayMs;
    if (this.#timer && this.#timerAt <= append.retryAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = append.retryAt;
    this.#timer = setTimeout(() => this.#retry(), delayMs);
  }

  #retry(): void {
    this.#timer = undefined;
    const append = this.#pending;
    if (!append) return;
    const leftMs = append.retryAt - performance.now();
    if (leftMs > 1) return this.#retryIn(append, leftMs);
    switch (append.state) {
      case "refused":
        return this.#send(append);
      case "sent":
        if (this.#link.up) this.#probe(append);
        return;
      case "probing":
      case "settling":
        return;
    }
  }

  /** A server that hangs must not find a pile of copies when it goes on: send again only once it has read everything before. */
  #probe(append: PendingAppend): void {
    append.state = "probing";
    this.#link.connection.flush().then(
      () => {
        if (this.#pending === append && append.state === "probing") this.#send(append);
      },
      () => {
        // The connection is lost; when it is back the append is sent again.
      },
    );
  }

  async #state(): Promise<StreamInfo["state"]> {
    return (await this.#ask<StreamInfo>("STREAM.INFO")).state;
  }

  async #ask<T>(operation: string, body?: object): Promise<T> {
    return await this.#persist(() => jetStreamRequest<T>(this.#link.connection, `${operation}.${this.#stream}`, body));
  }

  async #persist<T>(task: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#mustBeOpen();
      try {
        return await unlessInterrupted(this.#link, task(), this.#closed.signal);
      } catch (error) {
        if (!isPassing(error)) throw error;
        await sleep(50);
      }
    }
  }

  #mustBeOpen(): void {
    this.#closed.signal.throwIfAborted();
    if (this.#link.connection.isClosed()) throw new LogClosed("the connection to NATS is closed");
  }
}
