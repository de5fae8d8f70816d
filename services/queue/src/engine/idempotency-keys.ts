import type { RefusalData } from "./run-record.js";
import { SweptHeap } from "./swept-heap.js";

/** Keys that an environment may hold; more are refused with IDEMPOTENCY_KEYS_FULL. */
const idempotencyKeyCap = 2_000_000;

/** Why no more keys are taken. */
export const keysFull: RefusalData = {
  reason: "IDEMPOTENCY_KEYS_FULL",
  message: `the environment holds ${idempotencyKeyCap} idempotency keys, which is its cap; keys with a shorter life leave sooner`,
};

/** A key, and what has it. */
export interface KeyRecord {
  /** The task; empty for keys of batches. */
  readonly taskId: string;
  readonly key: string;
  /** Number of the run, or of the batch. */
  readonly number: number;
  /** When the key ends, in milliseconds of the Unix epoch. */
  readonly expireMs: number;
  /** How its run ended, as far as it was. A run that ended otherwise has given the key back. */
  end: "completed" | "canceled" | undefined;
}

/**
 * The idempotency keys of an environment: at most one run for each task and key, at most one batch for each key.
 *
 * A key that has ended is not found; memory lets it go when the next one comes, so that only the log decides what is held.
 */
export class IdempotencyKeys {
  readonly #most: number;
  readonly #records = new Map<string, KeyRecord>();
  readonly #ends = new SweptHeap<KeyRecord>(
    (a, b) => a.expireMs < b.expireMs || (a.expireMs === b.expireMs && (a.number < b.number || (a.number === b.number && a.taskId < b.taskId))),
    (record) => this.#isHeld(record),
  );

  /** `most`: how many it may hold. Default 2,000,000. */
  constructor(most = idempotencyKeyCap) {
    this.#most = most;
  }

  /** How many there are, those among them that have ended and were not let go so far. */
  get size(): number {
    return this.#records.size;
  }

  /** What has the key at `nowMs`; undefined if nothing has. */
  find(taskId: string, key: string, nowMs: number): KeyRecord | undefined {
    const record = this.#records.get(nameOf(taskId, key));
    return record && record.expireMs > nowMs ? record : undefined;
  }

  /** Whether one more could be held at `nowMs`, besides `others` that are about to come. At the cap, one that has ended makes room for those of one request. */
  hasRoom(others: number, nowMs: number): boolean {
    if (this.#records.size + others < this.#most) return true;
    for (let first = this.#ends.peek(); first; first = this.#ends.peek()) {
      if (this.#isHeld(first)) return first.expireMs <= nowMs;
      this.#ends.pop();
    }
    return false;
  }

  /** Gives a key to a run or batch, in place of what had it before, and lets go of what has ended. */
  add(record: KeyRecord, nowMs: number): void {
    for (let first = this.#ends.peek(); first && first.expireMs <= nowMs; first = this.#ends.peek()) {
      this.#ends.pop();
      this.release(first);
    }
    this.restore(record);
  }

  /** Gives a key to a run or batch, as it was once before. */
  restore(record: KeyRecord): void {
    this.#records.set(nameOf(record.taskId, record.key), record);
    this.#ends.push(record);
  }

  /** Frees a key, if it is still this one's. */
  release({ taskId, key, number }: Pick<KeyRecord, "taskId" | "key" | "number">): void {
    const name = nameOf(taskId, key);
    if (this.#records.get(name)?.number === number) this.#records.delete(name);
  }

  /** Frees a key, whoever has it. */
  end(taskId: string, key: string): void {
    this.#records.delete(nameOf(taskId, key));
  }

  /** Notes how the run of a key ended, if it is still this one's. */
  noteEnd({ taskId, key, number }: Pick<KeyRecord, "taskId" | "key" | "number">, end: "completed" | "canceled"): void {
    const record = this.#records.get(nameOf(taskId, key));
    if (record?.number === number) record.end = end;
  }

  /** All of them, in the order in which they came. */
  values(): Iterable<KeyRecord> {
    return this.#records.values();
  }

  #isHeld(record: KeyRecord): boolean {
    return this.#records.get(nameOf(record.taskId, record.key)) === record;
  }
}

/** A task id has no line breaks. */
function nameOf(taskId: string, key: string): string {
  return `${taskId}\n${key}`;
}
