import type { TokenKey } from "./token-key.js";

/** Attempts that wait and stay in their processes, if nobody says otherwise: each keeps what its code has in memory. */
export const mostWarmWaiting = 1_000;

/**
 * Which waiting attempts have to leave, so that they go on elsewhere, from their journals: the longest-waiting of too many, and all of them once the worker drains. Those that go on
 * meanwhile stay.
 */
export class Evictions {
  /** In the order in which they began to wait. */
  readonly #waiting = new Set<TokenKey>();
  readonly #most: number;
  readonly #evict: (key: TokenKey) => void;
  #draining = false;
  /** The server lets attempts go on. Until then nobody is evicted: it would start anew. */
  enabled = false;

  /** `evict` asks an attempt to leave. */
  constructor(most: number, evict: (key: TokenKey) => void) {
    this.#most = most;
    this.#evict = evict;
  }

  /** An attempt does nothing but wait from now on. */
  waits(key: TokenKey): void {
    if (!this.enabled) return;
    if (this.#draining) return this.#evict(key);
    this.#waiting.delete(key);
    this.#waiting.add(key);
    if (this.#waiting.size <= this.#most) return;
    const [longest] = this.#waiting;
    this.#waiting.delete(longest!);
    this.#evict(longest!);
  }

  /** An attempt waits no longer, or has ended. */
  goesOn(key: TokenKey): void {
    this.#waiting.delete(key);
  }

  /** The worker takes no new work: whoever waits leaves. */
  drain(): void {
    this.#draining = true;
    for (const key of this.#waiting) this.#evict(key);
    this.#waiting.clear();
  }
}
