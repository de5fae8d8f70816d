import type { TokenKey } from "./token-key.js";

/** How long code may ignore its signal before it is cut off, in milliseconds. */
export const cutOffMs = 1_000;
/** How long code may go on after its signal at most, whatever its hooks ask for, in milliseconds. */
const longestMs = 31_000;

interface CutOff {
  timer: NodeJS.Timeout;
  readonly cut: () => void;
  /** When it comes at the latest, by the monotonic clock. */
  readonly latest: number;
}

/** The attempts that were told to stop, and when their code is cut off if it has not ended by itself. */
export class CutOffs {
  readonly #attempts = new Map<TokenKey, CutOff>();

  /** Counts from now. `cut` is called once, unless `ended` is called before. */
  start(key: TokenKey, cut: () => void): void {
    this.ended(key);
    this.#attempts.set(key, { timer: this.#timer(key, cutOffMs), cut, latest: performance.now() + longestMs });
  }

  /** Counts anew: the code has this long from now, in milliseconds, within what any code has. */
  grant(key: TokenKey, ms: number): void {
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    clearTimeout(attempt.timer);
    attempt.timer = this.#timer(key, Math.min(ms, attempt.latest - performance.now()));
  }

  /** The code has ended. */
  ended(key: TokenKey): void {
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    clearTimeout(attempt.timer);
    this.#attempts.delete(key);
  }

  #timer(key: TokenKey, ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      const attempt = this.#attempts.get(key);
      this.#attempts.delete(key);
      attempt?.cut();
    }, ms);
  }
}
