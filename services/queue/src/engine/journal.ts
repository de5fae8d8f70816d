import type { Failure, Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { JournalKey } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { JournalKind } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { RefusalData, RunRecord, Wait } from "./run-record.js";

/** Characters of a journal key's name at most. */
const maxNameLength = 256;
/** Bytes of a journal key's hash at most. */
const maxHashBytes = 32;

/** The calls that a run's code made, as far as its worker named them. Changed by `apply` only; undefined for a run whose code named none. */
export interface Journal {
  /** Calls of the present attempt, by their command. */
  readonly entries: Map<number, JournalRecord>;
  /** Their commands, by {@link wordOf} their key. */
  readonly words: Map<string, number>;
  /** Steps of earlier attempts that succeeded, in the order in which they ended. */
  steps: readonly JournalRecord[];
  /** How many calls of the present attempt have ended, as its code sees it. */
  settled: number;
  /** How many of its waits have ended. */
  ended: number;
  /** Its present assignment goes on from it, and was not accepted so far. */
  offered: boolean;
}

/** A call that code made. */
export interface JournalRecord {
  readonly key: JournalKey;
  readonly commandId: number;
  /** The wait that it began; 0 for none. */
  readonly waitId: number;
  /** Its place among the calls that have ended; 0: it has not. */
  settled: number;
  /** It is a record of what a piece of code came to, which stands in the two fields below. */
  readonly record: boolean;
  readonly output: Payload | undefined;
  readonly failure: Failure | undefined;
}

/** A journal without calls of the present attempt. */
export function createJournal(steps: readonly JournalRecord[] = []): Journal {
  return { entries: new Map(), words: new Map(), steps, settled: 0, ended: 0, offered: false };
}

/** A key in one word. */
export function wordOf({ kind, name, argumentsHash, occurrence }: JournalKey): string {
  return `${kind} ${occurrence} ${String.fromCharCode(...argumentsHash)}\n${name}`;
}

/** Why a command may not have this key; undefined if it may. */
export function keyFault({ journal }: RunRecord, key: JournalKey): RefusalData | undefined {
  const refuse = (message: string): RefusalData => ({ reason: "INVALID_FIELD", message: `journal_key: ${message}` });
  if (key.kind === JournalKind.UNSPECIFIED) return refuse("kind must be set");
  if (key.name.length > maxNameLength) return refuse(`name has ${key.name.length} characters; at most ${maxNameLength} are allowed`);
  if (key.argumentsHash.length > maxHashBytes) return refuse(`arguments_hash has ${key.argumentsHash.length} bytes; at most ${maxHashBytes} are allowed`);
  const other = journal?.words.get(wordOf(key));
  return other === undefined ? undefined : refuse(`command ${other} of the attempt has the same`);
}

/** Adds a call. What has no wait has ended. */
export function addEntry(run: RunRecord, entry: JournalRecord): void {
  run.journal ??= createJournal();
  const { journal } = run;
  journal.entries.set(entry.commandId, entry);
  journal.words.set(wordOf(entry.key), entry.commandId);
  const wait = entry.waitId === 0 ? undefined : run.waits?.get(entry.waitId);
  if (!wait) return settle(journal, entry);
  wait.commandId = entry.commandId;
  if (wait.pending === 0) noteEnded(run, wait);
  if (wait.delivered) settle(journal, entry);
}

/** Notes that a wait has ended, for the order in which its worker hears of it. */
export function noteEnded({ journal }: RunRecord, wait: Wait): void {
  if (!journal || wait.ended > 0) return;
  journal.ended += 1;
  wait.ended = journal.ended;
}

/** Notes that the end of a wait goes to the worker. */
export function noteDelivered({ journal }: RunRecord, wait: Wait): void {
  wait.delivered = true;
  const entry = wait.commandId === 0 ? undefined : journal?.entries.get(wait.commandId);
  if (journal && entry) settle(journal, entry);
}

/** The attempt is over: steps that succeeded stay for the next one. */
export function endJournal(journal: Journal): Journal | undefined {
  const steps = [...journal.entries.values()].filter(({ key, record, failure }) => record && key.kind === JournalKind.STEP && !failure);
  steps.sort((a, b) => a.settled - b.settled);
  const all = steps.length === 0 ? journal.steps : [...journal.steps, ...steps];
  return all.length === 0 ? undefined : createJournal(all);
}

function settle(journal: Journal, entry: JournalRecord): void {
  if (entry.settled > 0) return;
  journal.settled += 1;
  entry.settled = journal.settled;
}
