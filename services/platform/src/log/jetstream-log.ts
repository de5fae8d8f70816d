import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { NatsLink } from "../nats/connection.js";
import {
  isPassing,
  JetStreamRefusal,
  jetStreamErrors,
  jetStreamRequest,
  type StoredMessage,
  type StreamInfo,
  unlessInterrupted,
} from "../nats/jetstream-api.js";
import { streams, subjects } from "../nats/subjects.js";
import { type Log, LogClosed, type LogEntry } from "./log.js";
import { ensureLogStream } from "./log-stream.js";
import { RecordAppender } from "./record-appender.js";
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

/**
 * The log of a partition in a JetStream stream.
 *
 * Records must be distinguishable by their bytes from any other writer's (they carry epoch and batch number, or a nonce): that is how an append whose answer
 * was lost is known again. Records may have up to `max_payload` of nats-server less 1 KiB, by default 1,023 KiB.
 */
export class JetStreamLog implements Log {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #appender: RecordAppender;
  readonly #closed = new AbortController();

  /** Opens the log of a partition, and makes its stream if there is none. Tries for 30 s if NATS is away. */
  static async open(options: JetStreamLogOptions): Promise<JetStreamLog> {
    await ensureLogStream(options.link.connection, options.partition, options.replicas ?? 1);
    return new JetStreamLog(options);
  }

  /** The log of a partition whose stream is there: for its readers, who must not say how it is kept. */
  static of(options: Omit<JetStreamLogOptions, "replicas">): JetStreamLog {
    return new JetStreamLog(options);
  }

  private constructor({ link, partition, logger }: JetStreamLogOptions) {
    this.#link = link;
    this.#stream = streams.log(partition);
    this.#appender = new RecordAppender({
      link,
      logger,
      subject: subjects.log(partition),
      last: () => this.last(),
      at: (sequence) => this.at(sequence),
    });
  }

  append(expected: number, record: Uint8Array): Promise<number> {
    return this.#appender.append(expected, record);
  }

  get healthy(): boolean {
    return this.#appender.healthy;
  }

  async *read(from: number): AsyncIterable<LogEntry> {
    this.#mustBeOpen();
    const source = {
      link: this.#link,
      stream: this.#stream,
      closed: this.#closed.signal,
      state: () => this.#state(),
      at: (sequence: number) => this.at(sequence),
      persist: <T>(task: () => Promise<T>) => this.#persist(task),
    };
    yield* readStream(source, from);
  }

  async at(sequence: number): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
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

  async first(): Promise<number> {
    const { first_seq: first, last_seq: last } = await this.#state();
    // A stream that never had a message says 0; one that was emptied, the next.
    return Math.max(1, Math.min(first, last + 1));
  }

  async purge(to: number): Promise<void> {
    // A purge beyond the end would move the last sequence, and with it the fence.
    const below = Math.min(to, (await this.last()) + 1);
    if (below > 1) await this.#ask("STREAM.PURGE", { seq: below });
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new LogClosed("the log was closed"));
    this.#appender.close();
  }

  async #state(): Promise<StreamInfo["state"]> {
    return (await this.#ask<StreamInfo>("STREAM.INFO")).state;
  }

  async #ask<T>(operation: string, body?: object): Promise<T> {
    return await this.#persist(() => jetStreamRequest<T>(this.#link.connection, `${operation}.${this.#stream}`, body));
  }

  /** Runs `task` until it does not fail for a reason that passes. */
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
