import type { TokenKey } from "./token-key.js";

/** Timers of Node take no more, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

interface Clock {
  readonly limitSeconds: number;
  leftMs: number;
  /** When it was started, by the monotonic clock; undefined while it stands. */
  startedAt: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Measures how long attempts with a maxDuration are active: their clocks stand while they wait. Attempts without one have no clock. */
export class ActiveTimes {
  readonly #clocks = new Map<TokenKey, Clock>();
  readonly #onLimit: (key: TokenKey, limitSeconds: number) => void;

  /** `onLimit` is called once for an attempt, when it has been active for as long as it may. */
  constructor(onLimit: (key: TokenKey, limitSeconds: number) => void) {
    this.#onLimit = onLimit;
  }

  /** Gives an attempt a clock, which stands. */
  add(key: TokenKey, limitSeconds: number): void {
    this.#clocks.set(key, { limitSeconds, leftMs: limitSeconds * 1_000, startedAt: undefined, timer: undefined });
  }

  /** The attempt is active from now on. */
  start(key: TokenKey): void {
    const clock = this.#clocks.get(key);
    if (clock === undefined || clock.startedAt !== undefined) return;
    clock.startedAt = performance.now();
    this.#arm(key, clock);
  }

  /** The attempt waits from now on. */
  stop(key: TokenKey): void {
    const clock = this.#clocks.get(key);
    if (clock?.startedAt === undefined) return;
    clearTimeout(clock.timer);
    clock.leftMs -= performance.now() - clock.startedAt;
    clock.startedAt = undefined;
  }

  /** The attempt's limit, in seconds; undefined if it has none. */
  limit(key: TokenKey): number | undefined {
    return this.#clocks.get(key)?.limitSeconds;
  }

  /** The attempt has ended. */
  remove(key: TokenKey): void {
    const clock = this.#clocks.get(key);
    if (clock === undefined) return;
    clearTimeout(clock.timer);
    this.#clocks.delete(key);
  }

  #arm(key: TokenKey, clock: Clock): void {
    clock.timer = setTimeout(
      () => {
        this.stop(key);
        // A timer may come a millisecond early, and one for a month comes in parts.
        if (clock.leftMs >= 1) this.start(key);
        else this.#onLimit(key, clock.limitSeconds);
      },
      Math.min(longestTimer, Math.max(0, Math.ceil(clock.leftMs))),
    );
  }
}
