/** An answer that is waited for, for a limited time. */
export class Pending<T> {
  /** Settles with the answer; with what `late` returns or throws, if none has come in time; or with the signal's reason. */
  readonly settled: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  /** `ms` is how long to wait. */
  constructor(ms: number, signal: AbortSignal, late: () => T) {
    this.settled = new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        try {
          this.#resolve(late());
        } catch (error) {
          this.#reject(error);
        }
      }, ms);
      const abort = () => this.#reject(signal.reason);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      this.#resolve = (value) => {
        done();
        resolve(value);
      };
      this.#reject = (error) => {
        done();
        reject(error);
      };
      signal.addEventListener("abort", abort);
      if (signal.aborted) abort();
    });
    // Whoever waits hears of it; that nobody waits any more is no error.
    this.settled.catch(() => {});
  }

  /** Gives the answer. Only the first counts. */
  resolve(value: T): void {
    this.#resolve(value);
  }

  /** Gives up. */
  reject(error: unknown): void {
    this.#reject(error);
  }
}
