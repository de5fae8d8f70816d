import { setImmediate } from "node:timers/promises";
import { type Log, LogClosed, LogConflict, type LogEntry } from "./log.js";

/** Records of a memory log; outlives the logs that are opened on it, as a disk does. */
export interface MemoryRecords {
  /** Sequence of the first record, or of the next one if there is none. */
  first: number;
  /** The records from `first` on. */
  readonly records: Uint8Array[];
}

/** How a memory log behaves; everything has a default. */
export interface MemoryLogOptions {
  /** Records to open the log on: those of another log for a restart or a second writer, a `copy()` of them for a machine that crashed at that moment. Default none. */
  readonly records?: MemoryRecords;
  /**
   * Called with each append before it is decided. The append waits for the promise; if it rejects, say with `new LogFull()`, the append fails so and nothing is
   * stored. Default: appends are decided at once.
   */
  readonly onAppend?: (expected: number, record: Uint8Array) => void | Promise<void>;
}

/** A log in memory, for tests, simulations and the testing kit. As durable as the process. */
export class MemoryLog implements Log {
  /** Where the records are, for another log to be opened on. */
  readonly records: MemoryRecords;
  /** What `healthy` says; a test may set it. */
  healthy = true;
  readonly #onAppend: MemoryLogOptions["onAppend"];
  #appending = false;
  #closed = false;
  #rejectAppend: (error: LogClosed) => void = () => {};

  constructor(options: MemoryLogOptions = {}) {
    this.records = options.records ?? { first: 1, records: [] };
    this.#onAppend = options.onAppend;
  }

  /** A copy of the records as they are now; what happens to this log later does not change it. */
  copy(): MemoryRecords {
    return { first: this.records.first, records: [...this.records.records] };
  }

  async append(expected: number, record: Uint8Array): Promise<number> {
    this.#mustBeOpen();
    if (this.#appending) throw new Error("an append is under way; a log takes one at a time");
    if (record.length === 0) throw new RangeError("a record has at least one byte");
    this.#appending = true;
    try {
      const closed = new Promise<never>((_, reject) => {
        this.#rejectAppend = reject;
      });
      await Promise.race([this.#onAppend?.(expected, record), closed]);
      this.#mustBeOpen();
      const last = this.#last();
      if (last !== expected) throw new LogConflict(`expected ${expected} to be the last sequence, and ${last} is`);
      this.records.records.push(record.slice());
      return expected + 1;
    } finally {
      this.#appending = false;
    }
  }

  async *read(from: number): AsyncIterable<LogEntry> {
    this.#mustBeOpen();
    const last = this.#last();
    for (let sequence = Math.max(from, this.records.first); sequence <= last; sequence++) {
      this.#mustBeOpen();
      // Records may be purged while they are read.
      const record = this.records.records[sequence - this.records.first];
      if (record) yield { sequence, record };
    }
  }

  async at(sequence: number): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
    return this.records.records[sequence - this.records.first];
  }

  async last(): Promise<number> {
    this.#mustBeOpen();
    return this.#last();
  }

  async first(): Promise<number> {
    this.#mustBeOpen();
    return this.records.first;
  }

  async purge(to: number): Promise<void> {
    this.#mustBeOpen();
    const count = Math.min(to - this.records.first, this.records.records.length);
    if (count <= 0) return;
    this.records.records.splice(0, count);
    this.records.first += count;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectAppend(new LogClosed("the log was closed"));
    await setImmediate();
  }

  #last(): number {
    return this.records.first + this.records.records.length - 1;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new LogClosed("the log is closed");
  }
}
