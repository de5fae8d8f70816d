/** Delays between attempts to reach a server. */
export interface Backoff {
  /** The next delay, in milliseconds. */
  next(): number;
  /** Starts again from the shortest. */
  reset(): void;
}

/**
 * Full jitter: each delay is drawn from zero to a bound that grows each time, so that the clients of a restarted server do not come back in step. `firstMs` bounds
 * the first delay (default 50), `mostMs` every one (default 3,000).
 *
 * The bound grows by 15 %, so it stays near a third of the time that the server has been away: a server is found again a tenth of its absence late, on average. With
 * doubling it would be a third, and most restarts take about a second.
 */
export function createBackoff({
  firstMs = 50,
  mostMs = 3_000,
  random = Math.random,
}: {
  firstMs?: number;
  mostMs?: number;
  random?: () => number;
} = {}): Backoff {
  let bound = firstMs;
  return {
    next() {
      const delay = random() * bound;
      bound = Math.min(mostMs, bound * 1.15);
      return delay;
    },
    reset() {
      bound = firstMs;
    },
  };
}
