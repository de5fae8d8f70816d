/** Lets one loop sleep until a time has passed or somebody has news for it, whichever comes first. News while it is awake shortens the next sleep. */
export class Wake {
  readonly #signal: AbortSignal | undefined;
  #news = false;
  #resolve: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.now();

  /** @param signal wakes the loop for good once it is aborted */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** Wakes the loop, or keeps it from going to sleep. */
  now(): void {
    this.#news = true;
    this.#resolve?.();
  }

  /** Sleeps for at most `limitMs`. */
  async after(limitMs: number): Promise<void> {
    if (!this.#news && !this.#signal?.aborted) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        this.#timer = setTimeout(resolve, limitMs);
      });
      clearTimeout(this.#timer);
      this.#resolve = undefined;
    }
    this.#news = false;
  }

  /** Wakes the loop for the last time. */
  stop(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.now();
  }
}
