import { type BacklogOptions, PackedRuns } from "./packed-runs.js";
import type { ReadyList } from "./ready-list.js";
import type { RunRecord } from "./run-record.js";

/** The runs that memory has, by number. Most are records; of a long backlog all but the first are packed, and become records when they are asked for. */
export class Runs {
  readonly #records = new Map<number, RunRecord>();
  readonly packed: PackedRuns;
  /** Records are in the map in the order of their numbers. */
  #ordered = true;

  constructor(options: BacklogOptions = {}) {
    this.packed = new PackedRuns(options);
  }

  get size(): number {
    return this.#records.size + this.packed.size;
  }

  has(number: number): boolean {
    return this.#records.has(number) || this.packed.has(number);
  }

  /** The record of a run, for whoever may change it. */
  get(number: number): RunRecord | undefined {
    const run = this.#records.get(number);
    if (run || this.packed.size === 0) return run;
    const unpacked = this.packed.take(number);
    if (unpacked) {
      this.#records.set(number, unpacked);
      this.#ordered = false;
    }
    return unpacked;
  }

  /** What a run is like, for whoever only reads: a packed run stays so. */
  see(number: number): RunRecord | undefined {
    return this.#records.get(number) ?? this.packed.see(number);
  }

  set(number: number, run: RunRecord): void {
    this.#records.set(number, run);
  }

  delete(number: number): void {
    this.#records.delete(number);
  }

  /** Packs a run at the end of its list; false if it stays a record. */
  pack(run: RunRecord, list: ReadyList): boolean {
    if (!this.packed.pack(run, list)) return false;
    this.#records.delete(run.number);
    return true;
  }

  /** All runs in the order of their numbers, for whoever only reads. */
  *values(): Generator<RunRecord> {
    if (this.#ordered && this.packed.size === 0) return yield* this.#records.values();
    for (const number of this.numbers()) {
      const run = this.see(number);
      if (run) yield run;
    }
  }

  /** The numbers of all runs in their order. */
  numbers(): Float64Array {
    const numbers = new Float64Array(this.size);
    let at = 0;
    for (const number of this.#records.keys()) numbers[at++] = number;
    for (const number of this.packed.numbers()) numbers[at++] = number;
    return numbers.sort();
  }
}
