import { randomBytes } from "node:crypto";
import type { Log, Logger, SnapshotStore } from "@runlane/platform";
import { markOf } from "../owner/record-mark.js";
import { verifySnapshot } from "./read-snapshot.js";
import { recover } from "./recover.js";
import { snapshotChunks } from "./snapshot-chunks.js";
import { sequenceOf, snapshotName, wholeSnapshots } from "./snapshot-name.js";
import { snapshotRecords } from "./snapshot-records.js";

/** How many snapshots are kept: the one before the newest is there in case that the newest cannot be read. */
const kept = 2;

/** What a snapshot is written from, and where to. */
export interface WriteSnapshotOptions {
  readonly log: Log;
  readonly store: SnapshotStore;
  /** Sequence of the record that it stands at; it is in the log. */
  readonly to: number;
  readonly logger: Logger;
}

/** A snapshot that was written. */
export interface WrittenSnapshot {
  readonly sequence: number;
  readonly bytes: number;
  readonly records: number;
  /** How long it took, in milliseconds: to come to the state, and to write it and read it again. */
  readonly recoverMs: number;
  readonly writeMs: number;
  /** Below this sequence no snapshot that is kept needs the log; 0 as long as one snapshot alone is there. */
  readonly neededFrom: number;
}

/**
 * Writes a snapshot: comes to the state by the last one and the log after it, writes it, and reads it again, because what it replaces will be deleted. Then deletes all but the last two, and what
 * is half written. Holds the state in memory while it does so, and nothing afterwards.
 */
export async function writeSnapshot({ log, store, to, logger }: WriteSnapshotOptions): Promise<WrittenSnapshot> {
  const { durable, ms: recoverMs, unusable } = await recover({ log, store, to, logger });
  const began = performance.now();
  const record = await log.at(to);
  if (!record) throw new Error(`record ${to} of the log, at which a snapshot is to stand, is not there`);
  const name = snapshotName(to, randomBytes(6).toString("hex"));
  let records = 0;
  const counted = function* () {
    for (const each of snapshotRecords(durable, { sequence: to, mark: markOf(record) })) {
      records += 1;
      yield each;
    }
  };
  const bytes = await store.put(name, snapshotChunks(counted()));
  await verifySnapshot(store, name);
  const neededFrom = await sweep(store, to, unusable);
  return { sequence: to, bytes, records, recoverMs, writeMs: performance.now() - began, neededFrom };
}

/** Deletes what nobody needs any more. Returns from where on the log is needed by the snapshots that are left. */
async function sweep(store: SnapshotStore, newest: number, unusable: readonly string[]): Promise<number> {
  for (const name of unusable) await store.remove(name);
  const whole = await wholeSnapshots(store);
  for (const { name } of whole.slice(kept)) await store.remove(name);
  // One that is half written and newer may be on its way, from another node.
  for (const stored of await store.list()) {
    if (stored.bytes === undefined && sequenceOf(stored) <= newest) await store.remove(stored.name);
  }
  return whole[kept - 1]?.sequence ?? 0;
}
