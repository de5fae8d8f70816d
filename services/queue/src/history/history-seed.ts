import { toBinary } from "@bufbuild/protobuf";
import { type Log, type Logger, SnapshotMissing, type SnapshotStore } from "@runlane/platform";
import { FailureSchema, type Payload, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type Database from "libsql";
import { type Environment, maxAttemptsOf, maxDurationOf, queueNameOf, ttlOf } from "../engine/environment.js";
import type { RunRecord } from "../engine/run-record.js";
import { stateOf } from "../engine/view.js";
import { mustBeOf, readSnapshot } from "../snapshot/read-snapshot.js";
import type { Restored } from "../snapshot/restoration.js";
import { wholeSnapshots } from "../snapshot/snapshot-name.js";
import { SnapshotUnreadable } from "../snapshot/snapshot-unreadable.js";
import type { AskedSettings, CachedRow, HistoryRow } from "./history-row.js";
import { Names } from "./names.js";
import { RunTable } from "./run-table.js";

/** The newest snapshot of a log that can be used; undefined if there is none. */
export async function newestSnapshot(log: Log, store: SnapshotStore, logger: Logger): Promise<Restored | undefined> {
  for (const { name } of await wholeSnapshots(store)) {
    try {
      const restored = await readSnapshot(store, name);
      await mustBeOf(log, restored);
      return restored;
    } catch (error) {
      if (!(error instanceof SnapshotUnreadable) && !(error instanceof SnapshotMissing)) throw error;
      logger.warn({ err: error, snapshot: name }, "a snapshot cannot be used for history");
    }
  }
  return undefined;
}

/**
 * Brings history to where a snapshot stands, without the log before it: the runs that the snapshot knows get rows as they are, ended ones that history has of earlier keep theirs, and those of which
 * history knows no end, and the snapshot nothing, are removed: they ended, and how is not known.
 */
export function seedHistory(sqlite: Database.Database, { durable, sequence, mark }: Restored): void {
  const names = new Names((id, text) => sqlite.prepare("INSERT INTO name VALUES (?, ?)").run([id, text]));
  for (const [id, text] of sqlite.prepare("SELECT id, text FROM name").raw().all() as [number, string][]) names.load(id, text);
  const table = new RunTable(sqlite);
  sqlite.exec("BEGIN; DELETE FROM session");
  for (const environment of durable.environments.values()) seedEnvironment(sqlite, names, environment);
  for (const { number, version } of durable.sessions.values()) sqlite.prepare("INSERT INTO session VALUES (?, ?)").run([number, names.idOf(version)]);
  for (const run of durable.runs.values()) table.write(rowOf(run, names, sequence, table.read(run.number)));
  table.finish();
  sqlite.prepare("DELETE FROM run WHERE finish_ms = 0 AND position <> ?").run([sequence]);
  sqlite.prepare("UPDATE followed SET position = ?, mark = ?").run([sequence, mark]);
  sqlite.exec("COMMIT");
}

function seedEnvironment(sqlite: Database.Database, names: Names, { name, tag, tasks, queues }: Environment): void {
  const environment = names.idOf(name);
  sqlite.prepare("INSERT OR REPLACE INTO environment VALUES (?, ?)").run([environment, tag]);
  const know = (queue: string) => sqlite.prepare("INSERT OR IGNORE INTO queue VALUES (?, ?)").run([environment, names.idOf(queue)]);
  for (const queue of queues.values()) if (queue.known) know(queue.name);
  for (const [id, task] of tasks) {
    know(`task/${id}`);
    const queue = names.idOf(queueNameOf(id, task));
    const values = [environment, names.idOf(id), queue, maxAttemptsOf(task), names.idOf(task.declaration.machine), maxDurationOf(task), ttlOf(task)];
    sqlite.prepare("INSERT OR REPLACE INTO task VALUES (?, ?, ?, ?, ?, ?, ?)").run(values);
  }
}

/** The row of a run. One that is stored may have missed that a later trigger replaced its data: so all of it is written. */
function rowOf(run: RunRecord, names: Names, position: number, stored: HistoryRow | undefined): CachedRow {
  const { extras } = run;
  const started = run.startMs > 0;
  return {
    number: run.number,
    environment: names.idOf(run.environment.name),
    task: names.idOf(run.taskId),
    queue: names.idOf(run.queue.name),
    version: names.idOf(run.version),
    state: stateOf(run),
    attempt: run.attempt,
    askedAttempts: run.askedAttempts,
    queueNamed: run.queueNamed,
    maxAttempts: run.maxAttempts,
    createMs: run.createMs,
    startMs: run.startMs,
    finishMs: run.finishMs,
    retryMs: run.retryAtMs,
    parent: run.parent,
    root: run.root,
    depth: run.depth,
    position,
    machine: started ? names.idOf(run.machine?.name ?? "") : 0,
    maxDurationSeconds: started ? run.maxDurationSeconds : 0,
    queueMs: run.queueMs,
    ttlSeconds: extras?.ttlSeconds ?? 0,
    expireMs: extras?.expireMs ?? 0,
    batch: extras?.batch ?? 0,
    test: extras?.test ?? false,
    asked: askedBy(run),
    tags: extras?.tags ?? [],
    failure: run.failure ? toBinary(FailureSchema, run.failure) : null,
    payload: encoded(run.payload),
    output: encoded(run.output),
    metadata: encoded(extras?.metadata),
    stored: stored !== undefined,
    rare: stored !== undefined,
    dirty: true,
    replacedTags: stored?.tags ?? null,
  };
}

function askedBy({ extras, askedVersion: version }: RunRecord): AskedSettings | null {
  if (!extras) return version === "" ? null : { version, machine: "" };
  const { askedMachine, askedDurationSeconds, askedTtlSeconds, idempotency, concurrencyKey, priorityMs, weight, replayOf } = extras;
  return {
    version,
    machine: askedMachine,
    maxDurationSeconds: askedDurationSeconds,
    ttlSeconds: askedTtlSeconds,
    key: idempotency && (idempotency.displayKey || idempotency.key),
    scope: idempotency?.scope,
    concurrencyKey: concurrencyKey || undefined,
    priorityMs: priorityMs || undefined,
    weight: weight || undefined,
    replayOf: replayOf || undefined,
  };
}

function encoded(payload: Payload | undefined): Uint8Array | null {
  return payload ? toBinary(PayloadSchema, payload) : null;
}
