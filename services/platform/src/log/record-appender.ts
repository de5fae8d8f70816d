import { createInbox, headers, type Msg, type MsgHdrs, type Subscription } from "@nats-io/transport-node";
import type { Logger } from "pino";
import type { LinkEvent, NatsLink } from "../nats/connection.js";
import { isWantOfRoom, type JetStreamError, jetStreamErrors, type PublishAck } from "../nats/jetstream-api.js";
import { subjects } from "../nats/subjects.js";
import { LogClosed, LogConflict, LogFull } from "./log.js";

/** What appending to a stream needs. */
export interface AppendTarget {
  readonly link: NatsLink;
  readonly logger: Logger;
  /** Subject of the stream. */
  readonly subject: string;
  /** Sequence of the last record, from the stream's leader. */
  last(): Promise<number>;
  /** One record, from the stream's leader. */
  at(sequence: number): Promise<Uint8Array | undefined>;
}

/** An append that has no outcome yet. */
interface PendingAppend {
  readonly expected: number;
  readonly record: Uint8Array;
  readonly reply: string;
  readonly since: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
  /** When to do something about it, by the monotonic clock. */
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
 * Appends records to a stream, one at a time, until each has an outcome.
 *
 * Raw publishes with an inbox of their own instead of the client's `js.publish`, which costs three times as much and repeats on its own account.
 */
export class RecordAppender {
  readonly #target: AppendTarget;
  readonly #mostBytes: number;
  readonly #inbox = createInbox(subjects.logInbox);
  readonly #expectation: MsgHdrs = headers();
  readonly #subscription: Subscription;
  readonly #unwatch: () => void;
  #count = 0;
  #closed = false;
  #pending: PendingAppend | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #downSince: number | undefined;

  constructor(target: AppendTarget) {
    this.#target = target;
    const { connection, up } = target.link;
    this.#mostBytes = (connection.info?.max_payload ?? 1024 * 1024) - overheadBytes;
    this.#downSince = up ? undefined : performance.now();
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, { callback: (_, message) => this.#answer(message) });
    this.#unwatch = target.link.watch((event) => this.#linkChanged(event));
  }

  /** As Log.append says. */
  append(expected: number, record: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new LogClosed("the log is closed"));
      if (this.#pending) return reject(new Error("an append is under way; a log takes one at a time"));
      if (record.length === 0 || record.length > this.#mostBytes) {
        return reject(new RangeError(`a record has 1 to ${this.#mostBytes} bytes, this one has ${record.length}`));
      }
      const reply = `${this.#inbox}.${(this.#count++).toString(36)}`;
      const since = performance.now();
      this.#pending = { expected, record, reply, since, resolve, reject, retryAt: 0, retryAfterMs: firstRetryMs.silence, state: "sent" };
      this.#send(this.#pending);
    });
  }

  /** False once an append has waited for a second, or the connection has been away for one. */
  get healthy(): boolean {
    const limit = performance.now() - unhealthyAfterMs;
    return (this.#pending?.since ?? Number.POSITIVE_INFINITY) > limit && (this.#downSince ?? Number.POSITIVE_INFINITY) > limit;
  }

  /** Rejects the pending append with LogClosed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending) this.#fail(this.#pending, new LogClosed("the log was closed"));
    clearTimeout(this.#timer);
    this.#unwatch();
    if (!this.#target.link.connection.isClosed()) this.#subscription.unsubscribe();
  }

  /** Sends the append, the first time or again: the same bytes with the same expectation, so that at most one of all copies is stored. */
  #send(append: PendingAppend): void {
    const { link, subject } = this.#target;
    append.state = "sent";
    this.#retryIn(append, append.retryAfterMs);
    append.retryAfterMs = Math.min(append.retryAfterMs * 2, mostRetryMs);
    // While the connection is down nothing is sent: the client would keep each copy for later. When it is back this is called again.
    if (!link.up) return;
    this.#expectation.set("Nats-Expected-Last-Sequence", String(append.expected));
    try {
      link.connection.publish(subject, append.record, { headers: this.#expectation, reply: append.reply });
    } catch (error) {
      this.#fail(append, link.connection.isClosed() ? connectionClosed() : (error as Error));
    }
  }

  #answer(message: Msg): void {
    const append = this.#pending;
    if (append?.reply !== message.subject) return;
    // An empty answer is the status 503: nobody takes the subject, as the stream has no leader or is not there yet.
    const answer = message.data.length === 0 ? undefined : message.json<PublishAck & { error?: JetStreamError }>();
    const error = answer?.error;
    if (answer && !error) return this.#commit(append, answer.seq);
    if (error && isWantOfRoom(error.err_code)) return this.#fail(append, new LogFull(error.description));
    switch (error?.err_code) {
      case jetStreamErrors.wrongLastSequence:
        return void this.#settle(append);
      case jetStreamErrors.messageTooLarge:
        return this.#fail(append, new RangeError(error.description));
      default:
        // 10163, 10164, 503, and what a server says while it starts: it will pass.
        if (append.state !== "settling") this.#refused(append);
    }
  }

  #refused(append: PendingAppend): void {
    if (append.state !== "refused") append.retryAfterMs = firstRetryMs.refusal;
    append.state = "refused";
    this.#retryIn(append, append.retryAfterMs);
  }

  /** The sequence is taken: by an earlier copy of the same append whose answer was lost, or by another writer. */
  async #settle(append: PendingAppend): Promise<void> {
    if (append.state === "settling") return;
    append.state = "settling";
    const wanted = append.expected + 1;
    try {
      // In this order: what is missing although the last sequence was seen to be beyond it was purged, so another owner has been here.
      const last = await this.#target.last();
      const stored = last >= wanted ? await this.#target.at(wanted) : undefined;
      if (this.#pending !== append) return;
      if (stored && Buffer.compare(stored, append.record) === 0) return this.#commit(append, wanted);
      // Replicated streams refuse a copy while the first is still on its way to a majority.
      if (last === append.expected) return this.#refused(append);
      const why = last < append.expected ? `the log ends at ${last}: it is shorter than remembered` : `another writer's record has sequence ${wanted}`;
      this.#fail(append, new LogConflict(`append to ${this.#target.subject} after ${append.expected}: ${why}`));
    } catch (error) {
      this.#fail(append, error as Error);
    }
  }

  #commit(append: PendingAppend, sequence: number): void {
    if (this.#pending !== append) return;
    this.#pending = undefined;
    const tookMs = performance.now() - append.since;
    if (tookMs > unhealthyAfterMs) this.#target.logger.warn({ subject: this.#target.subject, sequence, tookMs }, "an append took long");
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
    if (event === "closed") return this.#fail(append, connectionClosed());
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
    if (append.state === "refused") this.#send(append);
    else if (append.state === "sent" && this.#target.link.up) this.#probe(append);
  }

  /** A server that hangs must not find a pile of copies when it goes on: send again only once it has read everything before. */
  #probe(append: PendingAppend): void {
    append.state = "probing";
    this.#target.link.connection.flush().then(
      () => {
        if (this.#pending === append && append.state === "probing") this.#send(append);
      },
      () => {
        // The connection is lost; when it is back the append is sent again.
      },
    );
  }
}

function connectionClosed(): LogClosed {
  return new LogClosed("the connection to NATS is closed");
}
