import type { SnapshotEntry, SnapshotJournal, SnapshotWait } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { createJournal, type Journal, type JournalRecord, wordOf } from "../engine/journal.js";
import type { Wait } from "../engine/run-record.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

/** A wait as a snapshot says it. */
export function waitFacts(waitId: number, { children, untilMs, token, pending, delivered, commandId, ended, unseen, output, timedOut }: Wait): SnapshotWait {
  return {
    $typeName: "runlane.internal.v1.SnapshotWait",
    waitId,
    children: children.map(BigInt),
    pending,
    delivered,
    untilMs: BigInt(untilMs),
    token: BigInt(token),
    ended,
    commandId,
    unseen,
    timedOut,
    ...(output && { output }),
  };
}

/** The wait that a snapshot says. */
export function waitOf({ children, untilMs, token, output, pending, delivered, commandId, ended, unseen, timedOut }: SnapshotWait): Wait {
  const awaited = { children: children.map(Number), untilMs: Number(untilMs), token: Number(token), output };
  return { ...awaited, pending, delivered, commandId, ended, unseen, timedOut };
}

/** A journal as a snapshot says it. */
export function journalFacts({ entries, steps, settled, ended, offered }: Journal): SnapshotJournal {
  return {
    $typeName: "runlane.internal.v1.SnapshotJournal",
    entries: [...entries.values()].map(entryFacts),
    steps: steps.map(entryFacts),
    settled,
    ended,
    offered,
  };
}

/** The journal that a snapshot says. */
export function journalOf({ entries, steps, settled, ended, offered }: SnapshotJournal): Journal {
  const journal = createJournal(steps.map(entryOf));
  for (const entry of entries.map(entryOf)) {
    journal.entries.set(entry.commandId, entry);
    journal.words.set(wordOf(entry.key), entry.commandId);
  }
  journal.settled = settled;
  journal.ended = ended;
  journal.offered = offered;
  return journal;
}

function entryFacts({ key, commandId, waitId, settled, record, output, failure }: JournalRecord): SnapshotEntry {
  const facts = { $typeName: "runlane.internal.v1.SnapshotEntry", key, commandId, waitId, settled, record } as const;
  return { ...facts, ...(output && { output }), ...(failure && { failure }) };
}

function entryOf({ key, commandId, waitId, settled, record, output, failure }: SnapshotEntry): JournalRecord {
  if (!key) throw new SnapshotUnreadable(`the journal has command ${commandId} without its key`);
  return { key, commandId, waitId, settled, record, output, failure };
}
