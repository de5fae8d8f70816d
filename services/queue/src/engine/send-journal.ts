import type { RunResult } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { JournalEntry } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { outcomesOf } from "./command-outcome.js";
import type { JournalRecord } from "./journal.js";
import type { RunRecord } from "./run-record.js";
import type { Step } from "./step.js";
import { tokenOf } from "./token.js";
import { resultOf, runResultBytes } from "./view.js";
import { waitEndBytes, waitEndOf } from "./view-token.js";
import type { Connection } from "./volatile.js";

/** About the most bytes of one part of a journal. */
const partBytes = 200 * 1024;

/** How many entries the journal of a run's next, or resumed, attempt has. */
export function journalLengthOf({ journal }: RunRecord): number {
  return journal ? journal.steps.length + journal.entries.size : 0;
}

/** Sends the journal of an assignment, which stands in the stream before it. `past` has results that memory has forgotten. */
export function sendJournal(step: Step, connection: Connection, run: RunRecord, past?: ReadonlyMap<number, RunResult>): void {
  const { journal } = run;
  if (!journal) return;
  const token = tokenOf(run);
  let entries: JournalEntry[] = [];
  let bytes = 0;
  const flush = () => {
    if (entries.length > 0) step.outbox.frame(connection, bytes + 64).journalParts.push({ $typeName: "runlane.v1.JournalPart", token, entries });
    entries = [];
    bytes = 0;
  };
  const add = (entry: JournalEntry, size: number) => {
    if (bytes + size > partBytes) flush();
    entries.push(entry);
    bytes += size;
  };
  // The commands of this attempt count on behind the steps of earlier ones.
  journal.steps.forEach((record, index) => {
    add({ ...entryOf(record), commandId: index + 1, settled: index + 1, earlierAttempt: true }, bytesOf(record));
  });
  for (const record of journal.entries.values()) {
    const entry = entryOf(record);
    const given = run.commands?.get(record.commandId);
    if (given && !record.record) Object.assign(entry, outcomesOf(step, run.environment, given));
    const wait = record.waitId === 0 ? undefined : run.waits?.get(record.waitId);
    if (!wait?.delivered) {
      add(entry, bytesOf(record) + 30 * entry.outcomes.length);
      continue;
    }
    entry.unseen = wait.unseen;
    const end = waitEndOf(wait);
    if (end) entry.end = end;
    const results = wait.children.map((number) => {
      const child = step.durable.runs.get(number);
      return child ? resultOf(child) : past?.get(number);
    });
    let from = 0;
    do {
      let size = 0;
      let to = from;
      while (to < results.length && (to === from || size + runResultBytes(results[to]) <= partBytes / 2)) size += runResultBytes(results[to++]);
      const part = results.slice(from, to).filter((result) => result !== undefined);
      const first = from === 0 ? entry : { ...entryOf(record), unseen: wait.unseen };
      add({ ...first, results: part, more: to < results.length }, size + bytesOf(record) + waitEndBytes(wait) + 30 * first.outcomes.length);
      from = to;
    } while (from < results.length);
  }
  flush();
}

function entryOf({ key, commandId, waitId, settled, output, failure }: JournalRecord): JournalEntry {
  return {
    $typeName: "runlane.v1.JournalEntry",
    key,
    commandId,
    waitId,
    settled,
    outcomes: [],
    results: [],
    more: false,
    earlierAttempt: false,
    unseen: false,
    ...(output ? { output } : {}),
    ...(failure ? { failure } : {}),
  };
}

function bytesOf({ key, output, failure }: JournalRecord): number {
  return 80 + 3 * key.name.length + (output?.data.length ?? 0) + (failure ? failure.message.length + failure.stackTrace.length + 100 : 0);
}
