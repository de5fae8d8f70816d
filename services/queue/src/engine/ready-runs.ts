import { Heap } from "./heap.js";
import type { Chain } from "./packed-runs.js";
import type { RunRecord } from "./run-record.js";
import type { Runs } from "./runs.js";

/** Whether a run comes before another of its key. Times stay as they were when a run comes back (retry, return, resume), so it keeps its place. */
export function comesBefore(a: RunRecord, b: RunRecord): boolean {
  return a.orderMs < b.orderMs || (a.orderMs === b.orderMs && a.number < b.number);
}

/** An empty heap of runs, the next first. */
export function createRunHeap(): Heap<RunRecord> {
  return new Heap(comesBefore);
}

/** The runs of a list, the next first: records in a heap, and a chain of packed ones. */
export class ReadyRuns implements Chain {
  id = 0;
  head = 0;
  tail = 0;
  readonly #runs: Runs;
  /** The first one is meant, others may have left. Made when it is needed: there may be a hundred thousand lists. */
  #records: Heap<RunRecord> | undefined = undefined;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** The next. */
  peek(): RunRecord | undefined {
    const record = this.#records?.peek();
    const head = this.#head();
    if (head === 0 || (record && this.#runs.packed.isBefore(record, head))) return record;
    return this.#runs.get(head);
  }

  /** Whether a run of the list is the next. */
  isFirst({ number }: RunRecord): boolean {
    const record = this.#records?.peek();
    const head = this.#head();
    if (head === 0 || (record && this.#runs.packed.isBefore(record, head))) return record?.number === number;
    return head === number;
  }

  /** Whether a run would be the next, if it came now. */
  wouldBeFirst(run: RunRecord): boolean {
    const record = this.#records?.peek();
    const head = this.#head();
    return !(record && comesBefore(record, run)) && (head === 0 || this.#runs.packed.isBefore(run, head));
  }

  push(run: RunRecord): void {
    this.#records ??= createRunHeap();
    this.#records.push(run);
    this.#runs.packed.ready += 1;
  }

  /** A record has left: what stands first must be one that is meant. */
  left(isMeant: (run: RunRecord) => boolean): void {
    this.#runs.packed.ready -= 1;
    this.#head();
    const records = this.#records;
    if (!records) return;
    for (let top = records.peek(); top && !isMeant(top); top = records.peek()) records.pop();
  }

  /** How many come before a run, of those that are meant. */
  countBefore(run: RunRecord, isMeant: (run: RunRecord) => boolean): number {
    let count = 0;
    this.#records?.forEach((other) => {
      if (isMeant(other) && comesBefore(other, run)) count += 1;
    });
    const { packed } = this.#runs;
    for (const number of packed.numbersOf(this)) {
      if (number === run.number || packed.isBefore(run, number)) break;
      count += 1;
    }
    return count;
  }

  /** Numbers of all that are meant: the packed ones in their order, so that each may leave and be packed elsewhere, then the records. */
  numbers(isMeant: (run: RunRecord) => boolean): number[] {
    // One that left and came back stands there twice.
    const records = new Set<number>();
    this.#records?.forEach((run) => {
      if (isMeant(run)) records.add(run.number);
    });
    return [...this.#runs.packed.numbersOf(this), ...records];
  }

  #head(): number {
    return this.head === 0 ? 0 : this.#runs.packed.headOf(this);
  }
}
