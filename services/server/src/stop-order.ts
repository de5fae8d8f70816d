import type { Logger } from "@runlane/platform";

/** Stops parts in a given order, whatever order they were started in, and only those that were started. */
export class StopOrder<Part extends string> {
  readonly #order: readonly Part[];
  readonly #logger: Logger;
  readonly #stops = new Map<Part, () => Promise<void> | void>();
  #stopped: Promise<void> | undefined;

  constructor(order: readonly Part[], logger: Logger) {
    this.#order = order;
    this.#logger = logger;
  }

  /** A part was started; `stop` stops it. */
  add(part: Part, stop: () => Promise<void> | void): void {
    this.#stops.set(part, stop);
  }

  /** Stops all, one after the other. A part that fails to stop is logged, and keeps none of the others from stopping. Idempotent; never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#run();
    return this.#stopped;
  }

  async #run(): Promise<void> {
    for (const part of this.#order) {
      try {
        await this.#stops.get(part)?.();
      } catch (error) {
        this.#logger.error({ err: error }, `the ${part} did not stop in order`);
      }
    }
  }
}
