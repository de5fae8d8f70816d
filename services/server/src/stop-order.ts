import type { Logger } from "@runlane/platform";

/** Stops parts in a given order, whatever order they were started in, and only those that were started. */
export class StopOrder<Part extends string> {
  readonly #order: readonly Part[];
  readonly #logger: Logger;
  readonly #stops = new Map<Part, (() => Promise<void> | void)[]>();
  #stopped: Promise<void> | undefined;

  constructor(order: readonly Part[], logger: Logger) {
    this.#order = order;
    this.#logger = logger;
  }

  /** A part was started; `stop` stops it. There may be several of a kind, each service's own: they stop in the order in which they were started. */
  add(part: Part, stop: () => Promise<void> | void): void {
    const stops = this.#stops.get(part);
    if (stops) stops.push(stop);
    else this.#stops.set(part, [stop]);
  }

  /** Stops all, one after the other. A part that fails to stop is logged, and keeps none of the others from stopping. Idempotent; never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#run();
    return this.#stopped;
  }

  async #run(): Promise<void> {
    for (const part of this.#order) {
      for (const stop of this.#stops.get(part) ?? []) {
        const since = performance.now();
        try {
          await stop();
          this.#logger.debug({ part, tookMs: Math.round(performance.now() - since) }, "stopped");
        } catch (error) {
          this.#logger.error({ err: error }, `the ${part} did not stop in order`);
        }
      }
    }
  }
}
