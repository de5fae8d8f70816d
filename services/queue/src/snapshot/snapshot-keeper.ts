import { type Log, LogClosed, type Logger } from "@runlane/platform";
import type { History } from "../history/history.js";
import type { Clock } from "../owner/clock.js";
import { firstSince } from "./first-since.js";
import type { SnapshotRules } from "./snapshot-rules.js";
import type { Snapshots } from "./snapshots.js";
import type { WrittenSnapshot } from "./write-snapshot.js";

/** How long after one that failed the next snapshot is tried, in milliseconds. */
const retryMs = 60_000;

/** How long after a take-over the first snapshot is begun, in milliseconds: until then workers and programs come back, and a snapshot that a crash interrupted must not slow that down. */
const settleMs = 10_000;

/** What the keeper stands on. */
export interface SnapshotKeeperOptions {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly history: Pick<History, "secure"> | undefined;
  readonly rules: SnapshotRules;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The last snapshot, as far as it matters how large it is; undefined if there is none. */
  readonly last: { readonly bytes: number; readonly records: number } | undefined;
  /** What the log has got since then. */
  readonly since: { readonly events: number; readonly bytes: number };
}

/**
 * Sees to it that a partition has a young snapshot, and that its log holds no more than is needed. Costs the owner two additions for each append.
 *
 * A snapshot is due when the log has grown by a fixed amount, or by as much as the last snapshot was large, whichever is more: so writing snapshots never costs much more than writing the log does, however
 * large the state is.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #events: number;
  #bytes: number;
  #last: { readonly bytes: number; readonly records: number };
  #sequence = 0;
  #busy = false;
  #cancelRetry: (() => void) | undefined;
  #stopped = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
    this.#events = options.since.events;
    this.#bytes = options.since.bytes;
    this.#last = options.last ?? { bytes: 0, records: 0 };
    if (this.#due()) this.#pause(settleMs);
  }

  /** A record with so many events is on disk. */
  committed(sequence: number, bytes: number, events: number): void {
    this.#sequence = sequence;
    this.#bytes += bytes;
    this.#events += events;
    if (!this.#busy && this.#due()) void this.#write();
  }

  /** Writes no more, and purges no more: another owner may be there. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
    void this.#options.snapshots.close();
  }

  #due(): boolean {
    const { events, bytes } = this.#options.rules;
    return this.#events >= Math.max(events, this.#last.records) || this.#bytes >= Math.max(bytes, this.#last.bytes);
  }

  async #write(): Promise<void> {
    const { snapshots, logger } = this.#options;
    this.#busy = true;
    const [sequence, events, bytes] = [this.#sequence, this.#events, this.#bytes];
    this.#events = 0;
    this.#bytes = 0;
    logger.info({ sequence, events, logBytes: bytes }, "a snapshot is being written");
    try {
      const written = await snapshots.write(sequence);
      this.#last = written;
      if (this.#stopped) return;
      const purgedTo = await this.#purge(written);
      logger.info({ ...written, purgedTo }, "a snapshot is written");
      this.#busy = false;
    } catch (error) {
      if (this.#stopped || error instanceof LogClosed) return;
      // The log is whole: nothing is lost but time at the next start, and room on the disk.
      logger.warn({ err: error, sequence }, "a snapshot could not be written; trying again in a minute");
      this.#events += events;
      this.#bytes += bytes;
      this.#pause(retryMs);
    }
  }

  /** Begins no snapshot for some time. */
  #pause(ms: number): void {
    this.#busy = true;
    this.#cancelRetry = this.#options.clock.after(ms, () => {
      this.#busy = false;
    });
  }

  /**
   * Deletes what the log holds that nobody needs: below the older of the two snapshots, below what history has on disk, and older than what people asked for. The record at the limit itself stays: it proves
   * that snapshot and history are of this log. Returns the first sequence that is kept.
   */
  async #purge({ neededFrom }: WrittenSnapshot): Promise<number> {
    const { log, history, rules, clock } = this.#options;
    const first = await log.first();
    let to = neededFrom;
    if (to > first && history) to = Math.min(to, await history.secure());
    if (to > first && rules.keepLogMs > 0) to = await firstSince(log, clock.now() - rules.keepLogMs, first, to);
    if (to <= first || this.#stopped) return first;
    await log.purge(to);
    return to;
  }
}
