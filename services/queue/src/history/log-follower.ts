import { type Log, LogClosed, LogDamaged, type Logger, refusal } from "@runlane/platform";
import { markOf } from "../owner/record-mark.js";

/** Where a follower stands, and how to know the log again. */
export interface FollowedLog {
  readonly position: number;
  /** Beginning of the record there. */
  readonly mark: Uint8Array;
}

/** How long a call waits for a position. */
const patienceMs = 3_000;

/** Between two readings that found nothing. */
const pauseMs = 50;

/** Who takes what is followed. */
export interface LogTaker {
  take(sequence: number, record: Uint8Array): void;
}

/**
 * Hands on the records of a log one by one, none twice and none left out. They come from the owner as it commits them; what is missing between them is read from the log.
 */
export class LogFollower {
  readonly #log: Log;
  readonly #taker: LogTaker;
  readonly #logger: Logger;
  readonly #waiting: { readonly sequence: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #position: number;
  #mark: Uint8Array;
  /** The record at the position, once one has been taken. */
  #last: Uint8Array | undefined;
  /** Where the log is known to reach. */
  #tail: number;
  /** Where the log ended when the present owner took over. */
  #start = 0;
  #reading = false;
  #closed = false;

  constructor(log: Log, from: FollowedLog, taker: LogTaker, logger: Logger) {
    this.#log = log;
    this.#position = from.position;
    this.#mark = from.mark;
    this.#tail = from.position;
    this.#taker = taker;
    this.#logger = logger;
  }

  /** What has been taken. */
  get followed(): FollowedLog {
    if (this.#last) this.#mark = markOf(this.#last);
    return { position: this.#position, mark: this.#mark };
  }

  /** An owner begins to serve; its epoch record stands at `sequence`. */
  begin(sequence: number): void {
    this.#start = sequence;
    this.know(sequence);
  }

  /** The log reaches to `sequence`: reads what is missing. */
  know(sequence: number): void {
    this.#tail = Math.max(this.#tail, sequence);
    if (this.#position < this.#tail) void this.#read();
  }

  /** A record, as its owner committed it. */
  take(sequence: number, record: Uint8Array): void {
    if (!this.#reading && sequence === this.#position + 1) {
      this.#tail = Math.max(this.#tail, sequence);
      this.#took(sequence, record);
    } else {
      this.know(sequence);
    }
  }

  /** Resolves when `sequence`, and where the owner began, have been taken. @throws ConnectError UNAVAILABLE if that takes too long. */
  reached(sequence: number): Promise<void> {
    const goal = Math.max(sequence, this.#start);
    if (this.#position >= goal) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = { sequence: goal, resolve, reject };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(
          this.#position < this.#start ? rebuilding() : refusal("HISTORY_BEHIND", "history has not yet reached what the call must see", { retryDelayMs: 500 }),
        );
      }, patienceMs);
      waiter.resolve = () => {
        clearTimeout(timer);
        resolve();
      };
      waiter.reject = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#waiting.push(waiter);
    });
  }

  /** Stops. Whoever waits hears UNAVAILABLE. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(rebuilding());
  }

  #took(sequence: number, record: Uint8Array): void {
    this.#position = sequence;
    this.#last = record;
    this.#taker.take(sequence, record);
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter((waiter) => waiter.sequence <= sequence);
    for (const waiter of ready) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve();
    }
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const from = this.#position;
    const began = performance.now();
    try {
      while (this.#position < this.#tail && !this.#closed) {
        const before = this.#position;
        for await (const { sequence, record } of this.#log.read(this.#position + 1)) {
          if (this.#closed) return;
          // Whoever opens history again finds out where it goes on.
          if (sequence !== this.#position + 1) throw new LogDamaged(`record ${this.#position + 1} of the log is not there any more, and history needs it`);
          this.#took(sequence, record.slice());
        }
        // A replica that lags may not have it yet.
        if (this.#position === before) await sleep(pauseMs);
      }
      const ms = Math.round(performance.now() - began);
      if (ms > 1_000) this.#logger.info({ from, to: this.#position, ms }, "history has caught up with the log");
    } catch (error) {
      if (this.#closed || error instanceof LogClosed) return;
      throw error;
    } finally {
      this.#reading = false;
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function rebuilding() {
  return refusal("HISTORY_REBUILDING", "history is being made anew from the log; repeat the request after the delay", { retryDelayMs: 1_000 });
}
