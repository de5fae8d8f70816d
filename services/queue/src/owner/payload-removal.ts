import type { Logger, PayloadStore } from "@runlane/platform";
import type { Durable } from "../engine/durable.js";
import type { DroppedPayload } from "../engine/outbox.js";
import { unreferencedRetentionMs } from "../engine/payload-record.js";
import type { Clock } from "./clock.js";

/** How often the store is searched for what the log does not know, in milliseconds. */
const payloadSweepIntervalMs = 60 * 60_000;

/** What removing payloads stands on. */
export interface PayloadRemovalOptions {
  readonly store: PayloadStore;
  readonly durable: Durable;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether this owner still speaks for the partition. */
  readonly owns: () => boolean;
  /** Resolves when all that was decided so far is on disk. */
  readonly settled: () => Promise<void>;
}

/**
 * Deletes from the store what the log has dropped, after the commit that dropped it.
 *
 * What falls between the two (a crash, a store that is away) is found by a sweep, at take-over and every hour: everything in the store without a record in the log. Uploads that broke off are
 * found so as well. What is younger than an hour is left alone: its upload may be under way, its record about to come.
 */
export class PayloadRemoval {
  readonly #options: PayloadRemovalOptions;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: PayloadRemovalOptions) {
    this.#options = options;
  }

  /** Begins to sweep, now and every hour. */
  begin(): void {
    void this.#sweepAndRest();
  }

  /** Removes what a batch on disk has dropped. */
  remove(dropped: readonly DroppedPayload[]): void {
    const { store, logger } = this.#options;
    for (const payload of dropped) {
      store.remove(payload).catch((error: unknown) => logger.warn({ err: error, ...payload }, "a payload was not deleted; the sweep will try again"));
    }
  }

  /** Sweeps no more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #sweepAndRest(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const removed = await this.#sweep();
      if (removed > 0) logger.info({ removed }, "payloads that the log does not know are deleted");
    } catch (error) {
      if (!this.#stopped) logger.warn({ err: error }, "the store of payloads could not be swept; trying again in an hour");
    }
    if (!this.#stopped) this.#cancel = clock.after(payloadSweepIntervalMs, () => void this.#sweepAndRest());
  }

  async #sweep(): Promise<number> {
    const { store, durable, clock, owns, settled } = this.#options;
    let removed = 0;
    for (const { name: environment, payloads } of durable.environments.values()) {
      for (const reference of await store.list(environment)) {
        if (payloads.has(reference)) continue;
        const written = await store.lastWritten({ environment, reference });
        if (written === undefined || written > clock.now() - unreferencedRetentionMs) continue;
        // It may be missing here because it was dropped a moment ago, and that is not on disk.
        await settled();
        // An owner that was replaced meanwhile does not know what the next one recorded.
        if (this.#stopped || !owns()) return removed;
        await store.remove({ environment, reference });
        removed += 1;
      }
    }
    return removed;
  }
}
