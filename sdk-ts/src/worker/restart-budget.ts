/** Restarts that are granted at once. */
const burst = 10;
/** How often another one is granted, in milliseconds. */
const refillMs = 3_000;

/** Grants restarts: ten at once, and one more each three seconds, so that a worker that was killed comes back without delay, and one that can not live does not spin. */
export class RestartBudget {
  readonly #now: () => number;
  #left = burst;
  #countedAt: number;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#countedAt = now();
  }

  /** Takes a restart; how long to wait before it, in milliseconds. */
  delayMs(): number {
    const now = this.#now();
    this.#left = Math.min(burst, this.#left + (now - this.#countedAt) / refillMs);
    this.#countedAt = now;
    this.#left -= 1;
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left * refillMs);
  }
}
