import { nowMs } from "../clock.js";
import { type Summary, summarize } from "../statistics.js";

/** What a client says of a number of calls. */
export interface Timing extends Summary {
  /** From the first call to the last answer. */
  readonly seconds: number;
}

/** Takes the time of calls, from its making on. */
export class Stopwatch {
  readonly #began = nowMs();
  readonly #latencies: number[] = [];

  /** A call that was made (or due) at `sinceMs` has its answer now. */
  answered(sinceMs: number): void {
    this.#latencies.push(nowMs() - sinceMs);
  }

  /** A latency that was found otherwise, in milliseconds. */
  took(milliseconds: number): void {
    this.#latencies.push(milliseconds);
  }

  /** All calls have their answers. */
  stop(): Timing {
    return { ...summarize(this.#latencies), seconds: (nowMs() - this.#began) / 1_000 };
  }
}
