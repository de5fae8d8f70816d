import type { Clock } from "@runlane/queue";

/** Longer waits are for things that cannot happen here: the lease of a worker that lives in this process. In milliseconds; more than ten thousand years. */
const neverMs = 1e15;

/** How long a worker may be silent: for ever. */
export const endlessLeaseMs = 2 * neverMs;

interface Timer {
  readonly at: number;
  readonly due: () => void;
}

/** The owner's clock, which stands still until it is moved. */
export class VirtualClock implements Clock {
  readonly random: () => number;
  readonly #onWork: () => void;
  readonly #timers = new Set<Timer>();
  #time: number;

  /** @param onWork called whenever the owner has something to do */
  constructor(startMs: number, random: () => number, onWork: () => void) {
    this.#time = startMs;
    this.random = random;
    this.#onWork = onWork;
  }

  now(): number {
    return this.#time;
  }

  // Leases, and the time that an assignment may take to arrive, are measured by it: between parts of one process neither ever runs out, however far time jumps.
  monotonic(): number {
    return 0;
  }

  secret(): string {
    return Math.floor(this.random() * 2 ** 52).toString(36);
  }

  after(ms: number, due: () => void): () => void {
    if (ms >= neverMs) return () => {};
    const timer = { at: this.#time + ms, due };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(due: () => void): void {
    this.#onWork();
    setImmediate(due);
  }

  /** When the next timer is due; undefined if there is none. */
  get next(): number | undefined {
    let next: number | undefined;
    for (const { at } of this.#timers) if (next === undefined || at < next) next = at;
    return next;
  }

  /** Moves to the next timer, if it is due by `limit`, and fires all that are due then; else to `limit`. */
  step(limit: number): void {
    const { next } = this;
    this.#onWork();
    this.#time = Math.max(this.#time, Math.min(next ?? limit, limit));
    for (const timer of [...this.#timers]) {
      // One of them may call off another.
      if (timer.at > this.#time || !this.#timers.delete(timer)) continue;
      timer.due();
    }
  }
}
