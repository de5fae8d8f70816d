import type { Clock } from "../owner/clock.js";

/** A clock that a test moves by hand. What is to happen soon still happens soon. */
export class FakeClock implements Clock {
  #time = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<{ readonly at: number; readonly due: () => void }>();

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  random(): number {
    return Math.random();
  }

  secret(): string {
    return Math.random().toString(36).slice(2);
  }

  after(ms: number, due: () => void): () => void {
    const timer = { at: this.#time + ms, due };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(due: () => void): void {
    setImmediate(due);
  }

  /** Lets time pass; timers fire in their order. */
  advance(ms: number): void {
    const until = this.#time + ms;
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#time = Math.max(this.#time, next.at);
      next.due();
    }
    this.#time = until;
  }
}
