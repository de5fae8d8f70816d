import type { Log, SnapshotStore } from "@runlane/platform";
import type { BacklogOptions } from "../engine/packed-runs.js";
import { markOf } from "../owner/record-mark.js";
import { Restoration, type Restored } from "./restoration.js";
import { ChunkReader } from "./snapshot-chunks.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

/** Reads a snapshot. @throws SnapshotUnreadable if it is not as it was written */
export async function readSnapshot(store: SnapshotStore, name: string, backlog?: BacklogOptions): Promise<Restored> {
  const reader = new ChunkReader();
  const restoration = new Restoration(backlog);
  for await (const chunk of store.get(name)) for (const record of reader.records(chunk)) restoration.take(record);
  return restoration.finish();
}

/** Reads a snapshot and looks at nothing but whether it is as it was written. @throws SnapshotUnreadable if it is not */
export async function verifySnapshot(store: SnapshotStore, name: string): Promise<void> {
  const reader = new ChunkReader();
  for await (const chunk of store.get(name)) reader.data(chunk);
}

/**
 * Makes sure that a snapshot was made of this log. The record that it stands at is never purged as long as the snapshot is kept.
 *
 * @throws SnapshotUnreadable if it was not, or if the log has lost what was in it then
 */
export async function mustBeOf(log: Log, { sequence, mark }: Pick<Restored, "sequence" | "mark">): Promise<void> {
  const record = await log.at(sequence);
  if (record && Buffer.compare(markOf(record), mark) === 0) return;
  const last = await log.last();
  if (last >= sequence) throw new SnapshotUnreadable(`the snapshot at record ${sequence} was made of another log`);
  throw new SnapshotUnreadable(`the log ends at record ${last}, and a snapshot was made of it at ${sequence}: the log has lost records`);
}
