import { nowMs, sleep } from "../clock.js";
import { acceptOrder } from "../tasks/accept-order.js";
import { makeOrder } from "../tasks/order.js";

/** Triggers tasks at a rate until it is ended, also while nobody answers. */
export class LastingLoad {
  readonly #began = nowMs();
  readonly #interval: number;
  #count = 0;
  #ended = false;
  #waiting: { since: number; found: (instant: number) => void } | undefined;

  constructor(perSecond: number) {
    this.#interval = 1_000 / perSecond;
    void this.#run();
  }

  /** Resolves to the instant of the first acknowledgement, from now on, of a trigger that was called at `sinceMs` or later. */
  firstAcknowledgement(sinceMs: number): Promise<number> {
    return new Promise((found) => {
      this.#waiting = { since: sinceMs, found };
    });
  }

  /** Triggers no more. */
  end(): void {
    this.#ended = true;
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      while (this.#began + this.#count * this.#interval <= nowMs()) void this.#trigger(this.#count++);
      await sleep(1);
    }
  }

  async #trigger(index: number): Promise<void> {
    const called = nowMs();
    await acceptOrder.trigger(makeOrder(index));
    if (!this.#waiting || called < this.#waiting.since) return;
    this.#waiting.found(nowMs());
    this.#waiting = undefined;
  }
}
