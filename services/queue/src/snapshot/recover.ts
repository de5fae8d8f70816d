import { type Log, type Logger, SnapshotMissing, type SnapshotStore } from "@runlane/platform";
import { createDurable, type Durable } from "../engine/durable.js";
import type { BacklogOptions } from "../engine/packed-runs.js";
import { reindex } from "../engine/reindex.js";
import { replay } from "../owner/replay.js";
import { mustBeOf, readSnapshot } from "./read-snapshot.js";
import { type NamedSnapshot, wholeSnapshots } from "./snapshot-name.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

/** What the state of a partition is made of. */
export interface RecoverOptions {
  readonly log: Log;
  /** Without one, the log has all of it. */
  readonly store: SnapshotStore | undefined;
  /** Up to this sequence, which is in the log. */
  readonly to: number;
  readonly logger: Logger;
  /** How a long backlog is kept. */
  readonly backlog?: BacklogOptions | undefined;
}

/** A state, and how it was come by. */
export interface Recovered {
  readonly durable: Durable;
  /** The snapshot that it began with; undefined if it began with nothing. */
  readonly snapshot: (NamedSnapshot & { readonly records: number }) | undefined;
  /** What was replayed after that. */
  readonly events: number;
  readonly bytes: number;
  /** How long all of it took, in milliseconds. */
  readonly ms: number;
  /** Snapshots that were tried before, and cannot be used. */
  readonly unusable: readonly string[];
}

/** The log has been purged, and no snapshot that can be read has what is gone. Somebody must decide what to do. */
export class StateIncomplete extends Error {
  override readonly name = "StateIncomplete";
}

/**
 * The state that a log leads to: the newest snapshot that can be used, and the log after it. If there is none, the whole log, if it is whole.
 *
 * @throws StateIncomplete if neither leads there
 */
export async function recover({ log, store, to, logger, backlog }: RecoverOptions): Promise<Recovered> {
  const began = performance.now();
  const unusable: string[] = [];
  for (const snapshot of store ? await wholeSnapshots(store) : []) {
    if (!store) continue;
    if (snapshot.sequence > to) {
      const last = await log.last();
      if (last >= snapshot.sequence) continue;
      logger.error({ snapshot: snapshot.name, last }, "the log ends before a snapshot that was made of it: it has lost records that were acknowledged");
      unusable.push(snapshot.name);
      continue;
    }
    try {
      const { durable, records, ...place } = await readSnapshot(store, snapshot.name, backlog);
      await mustBeOf(log, place);
      const { events, bytes } = await replay(log, durable, { after: place.sequence, to });
      reindex(durable);
      return { durable, snapshot: { ...snapshot, records }, events, bytes, ms: performance.now() - began, unusable };
    } catch (error) {
      if (!(error instanceof SnapshotUnreadable) && !(error instanceof SnapshotMissing)) throw error;
      logger.error({ err: error, snapshot: snapshot.name }, "a snapshot cannot be used; what came before it is tried");
      unusable.push(snapshot.name);
    }
  }
  const first = await log.first();
  if (first > 1) {
    const tried = unusable.length > 0 ? `the snapshots ${unusable.join(", ")} cannot be used` : "there is no snapshot";
    throw new StateIncomplete(
      `the log begins at record ${first}, and ${tried}: what stood before is not known. Restore the data of nats-server from a backup; nothing was changed`,
    );
  }
  const durable = createDurable(backlog);
  const { events, bytes } = await replay(log, durable, { after: 0, to });
  reindex(durable);
  return { durable, snapshot: undefined, events, bytes, ms: performance.now() - began, unusable };
}
