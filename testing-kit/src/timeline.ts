import type { Activity } from "./activity.js";
import type { VirtualClock } from "./virtual-clock.js";

/** No run is waited for longer than this, in milliseconds of virtual time: ten years. */
const horizonMs = 10 * 365 * 86_400_000;

/** What a timeline stands on. */
export interface TimelineOptions {
  readonly clock: VirtualClock;
  readonly activity: Activity;
  /** Whether code of a task runs. */
  readonly busy: () => boolean;
  /** How long `advance` waits for such code when nothing else happens, in real milliseconds. */
  readonly patienceMs: number;
}

/** Moves virtual time, only ever when nothing is on its way: so the same test takes the same course each time. Several may ask at once. */
export class Timeline {
  readonly #options: TimelineOptions;
  #closed = false;

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /**
   * Lets happen what happens, and jumps from due time to due time whenever no code runs, until `done` holds.
   *
   * @returns false if nothing more is due, and it does not hold
   */
  async until(done: () => boolean): Promise<boolean> {
    const { clock, activity, busy } = this.#options;
    const limit = clock.now() + horizonMs;
    for (;;) {
      await this.#quiet();
      if (done()) return true;
      if (busy()) {
        await activity.next();
        continue;
      }
      const { next } = clock;
      if (next === undefined || next > limit) return false;
      clock.step(limit);
    }
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const { clock } = this.#options;
    const target = clock.now() + ms;
    await this.#calm();
    while (clock.now() < target) {
      clock.step(target);
      await this.#calm();
    }
  }

  /** Fails whoever waits. */
  close(): void {
    this.#closed = true;
    this.#options.activity.note();
  }

  /** Nothing is on its way, and no code runs that could send something soon. */
  async #calm(): Promise<void> {
    const { activity, busy, patienceMs } = this.#options;
    do await this.#quiet();
    while (busy() && (await activity.next(patienceMs)));
  }

  /** Nothing is on its way at the moment when this resolves: somebody else may have moved time since it was found so. */
  async #quiet(): Promise<void> {
    const { activity } = this.#options;
    let seen: number;
    do {
      if (this.#closed) throw new Error("the test platform was closed");
      await activity.quiet();
      seen = activity.count;
      await undefined;
    } while (activity.count !== seen);
    if (this.#closed) throw new Error("the test platform was closed");
  }
}
