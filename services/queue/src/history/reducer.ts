import { create, toBinary } from "@bufbuild/protobuf";
import type { AttemptFailed, Event, NewRun, RunRescheduled, RunUpdated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { FailureKind, FailureSchema, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type Database from "libsql";
import { expiryFailure } from "../engine/expiry.js";
import { failedState } from "../engine/failure-state.js";
import { Declarations, type Statement } from "./declarations.js";
import type { CachedRow } from "./history-row.js";
import { Names } from "./names.js";
import { askedSettings, defaultMaxAttempts, limitLife, newRow, noTags } from "./new-row.js";
import { type RecordListener, type ScannedRun, scanRecord } from "./record-scan.js";
import { RunTable } from "./run-table.js";

/** Retry delays shorter than this leave the run EXECUTING. */
const shortDelayMs = 30_000;
/** Runs kept in memory because they may change soon; beyond the first number, the oldest are let go until the second is left. */
const cachedRows = { most: 60_000, kept: 30_000 } as const;

/**
 * Makes rows of events: what the API says of a run, and no more of the engine's state than that needs. Kept apart from the engine on purpose: the two must agree, and a property test sees to it.
 *
 * Changes gather in memory until {@link flush} writes them, so that a run that comes and goes between two flushes is one insert.
 */
export class Reducer implements RecordListener {
  readonly table: RunTable;
  readonly names: Names;
  /** Tags of environments, by the number of their name. */
  readonly tags = new Map<number, string>();
  readonly #sqlite: Database.Database;
  readonly #declarations: Declarations;
  readonly #sessions = new Map<number, number>();
  /** Writes to the small tables, for the next flush. */
  readonly #pending: Statement[] = [];
  readonly #rows = new Map<number, CachedRow>();
  #dirty: CachedRow[] = [];
  #bytes = 0;
  #moved = false;
  /** A transaction is open. */
  #writing = false;
  #position = 0;
  #now = 0;

  constructor(sqlite: Database.Database) {
    this.#sqlite = sqlite;
    this.table = new RunTable(sqlite);
    this.names = new Names((id, text) => this.#pending.push({ sql: "INSERT INTO name VALUES (?, ?)", values: [id, text] }));
    for (const [id, text] of all<[number, string]>(sqlite, "SELECT id, text FROM name")) this.names.load(id, text);
    for (const [name, tag] of all<[number, string]>(sqlite, "SELECT name, tag FROM environment")) this.tags.set(name, tag);
    for (const [number, version] of all<[number, number]>(sqlite, "SELECT number, version FROM session")) this.#sessions.set(number, version);
    this.#declarations = new Declarations(sqlite, this.names, (statement) => this.#pending.push(statement));
  }

  /** Runs that changed since the last flush. */
  get changed(): readonly CachedRow[] {
    return this.#dirty;
  }

  /** About how many bytes the changes hold in memory. */
  get changedBytes(): number {
    return this.#bytes;
  }

  /** Takes a record of the log. */
  take(sequence: number, record: Uint8Array): void {
    this.#position = sequence;
    scanRecord(record, this);
  }

  /**
   * Writes what changed, with the position up to which the log has been followed.
   *
   * @returns true if rows changed in the table that were not among {@link changed}
   */
  flush(position: number, mark: Uint8Array): boolean {
    const moved = this.#moved;
    this.#write();
    this.#sqlite.prepare("UPDATE followed SET position = ?, mark = ?").run([position, mark]);
    this.#sqlite.exec("COMMIT");
    this.#writing = false;
    this.#moved = false;
    this.#trim();
    return moved;
  }

  batch(nowMs: number): void {
    this.#now = Math.max(this.#now, nowMs);
  }

  created(environmentName: string, firstNumber: number, parentNumber: number, runs: ScannedRun[], version: string, batch: number): void {
    const environment = this.names.idOf(environmentName);
    const parent = parentNumber > 0 ? this.#row(parentNumber) : undefined;
    const isKnown = (queue: number) => this.#declarations.knows(environment, queue);
    let number = firstNumber;
    for (const { taskId, queue, askedAttempts, payload, settings, failure } of runs) {
      const asked = askedSettings(settings, version);
      const task = this.names.idOf(taskId);
      const declared = this.#declarations.task(environment, task);
      const row = newRow(
        { taskId, queue, askedAttempts, payload, settings, failure },
        { number, environment, task, declared, isKnown, asked, batch, parent, parentNumber, nowMs: this.#now, position: this.#position, names: this.names },
      );
      this.#rows.set(number, row);
      this.#dirty.push(row);
      this.#bytes += 300 + (payload?.length ?? 0) + (row.metadata?.length ?? 0);
      number += 1;
    }
  }

  assigned(number: number, session: number, attempt: number): void {
    const row = this.#change(number);
    if (!row) return;
    row.attempt = attempt;
    row.version = this.#sessions.get(session) ?? 0;
    row.failure = null;
    row.state = RunState.DEQUEUED;
    if (row.startMs > 0) return;
    const task = this.#declarations.task(row.environment, row.task);
    row.startMs = this.#now;
    row.maxAttempts = row.askedAttempts || (task?.maxAttempts ?? defaultMaxAttempts);
    row.machine = row.asked?.machine ? this.names.idOf(row.asked.machine) : (task?.machine ?? 0);
    row.maxDurationSeconds = row.asked?.maxDurationSeconds ?? task?.maxDurationSeconds ?? 0;
  }

  accepted(number: number): void {
    this.#setState(number, RunState.EXECUTING);
  }

  succeeded(number: number, output: Uint8Array | null): void {
    const row = this.#change(number);
    if (!row) return;
    row.state = RunState.COMPLETED;
    row.output = output;
    row.finishMs = this.#now;
    this.#bytes += output?.length ?? 0;
  }

  event(event: Event["event"]): void {
    switch (event.case) {
      case "environmentCreated": {
        const name = this.names.idOf(event.value.name);
        this.tags.set(name, event.value.tag);
        this.#pending.push({ sql: "INSERT INTO environment VALUES (?, ?)", values: [name, event.value.tag] });
        return;
      }
      case "tasksDeclared":
        for (const task of event.value.tasks) this.#follow(this.#declarations.declareTask(event.value.environment, task, this.#position));
        return;
      case "queuesDeclared":
        for (const { name } of event.value.queues) this.#follow(this.#declarations.declareQueue(event.value.environment, name, this.#position));
        return;
      case "sessionOpened": {
        const [number, version] = [Number(event.value.session), this.names.idOf(event.value.version)];
        this.#sessions.set(number, version);
        this.#pending.push({ sql: "INSERT OR REPLACE INTO session VALUES (?, ?)", values: [number, version] });
        return;
      }
      case "sessionEnded":
        this.#sessions.delete(Number(event.value.session));
        this.#pending.push({ sql: "DELETE FROM session WHERE number = ?", values: [Number(event.value.session)] });
        return;
      case "runReturned": {
        const row = this.#change(Number(event.value.run));
        if (!row) return;
        row.attempt -= 1;
        row.state = RunState.QUEUED;
        if (row.attempt > 0) return;
        row.startMs = 0;
        row.version = this.names.idOf(row.asked?.version ?? "");
        this.#place(row);
        return;
      }
      case "attemptFailed":
        return this.#fail(event.value);
      case "retryDue": {
        const row = this.#change(Number(event.value.run));
        if (!row) return;
        row.retryMs = 0;
        if (row.state === RunState.DELAYED) this.#enter(row);
        return;
      }
      case "runExpired": {
        const row = this.#change(Number(event.value.run));
        if (!row) return;
        row.state = RunState.EXPIRED;
        row.finishMs = this.#now;
        row.failure = toBinary(FailureSchema, expiryFailure(row.ttlSeconds));
        return;
      }
      case "runRescheduled":
        return this.#reschedule(event.value);
      case "runUnbound": {
        const row = this.#change(Number(event.value.run));
        if (!row) return;
        row.version = 0;
        if (row.asked) row.asked = { ...row.asked, version: "" };
        return;
      }
      case "runUpdated":
        return this.#update(event.value);
      case "waitBegan": {
        const row = this.#change(Number(event.value.run));
        // What keys found may all be final: then the run goes on.
        const { untilMs, token, ended } = event.value;
        const waits =
          Number(untilMs) > this.#now || (token > 0n && !ended) || event.value.children.some((child) => (this.#row(Number(child))?.finishMs ?? 1) === 0);
        if (waits && row?.state === RunState.EXECUTING) row.state = RunState.WAITING;
        return;
      }
      case "runResumed":
        return this.#setState(Number(event.value.run), RunState.EXECUTING);
      case "runParked":
      case "waitContinued":
        return this.#setState(Number(event.value.run), RunState.WAITING);
      case "runCanceled": {
        const row = this.#change(Number(event.value.run));
        if (!row) return;
        row.state = RunState.CANCELED;
        row.finishMs = this.#now;
        row.retryMs = 0;
        row.failure = toBinary(FailureSchema, create(FailureSchema, { kind: FailureKind.VALUE, message: event.value.reason }));
        return;
      }
      default: // changes nothing that the API says of a run
    }
  }

  /** A delay has passed. Declarations that came meanwhile moved the runs of queues only. */
  #enter(row: CachedRow): void {
    this.#place(row);
    limitLife(row, this.#declarations.task(row.environment, row.task), this.#now);
  }

  /** A run stands in the queue that its task has now, unless its trigger named one. */
  #place(row: CachedRow): void {
    const declared = this.#declarations.task(row.environment, row.task);
    if (!row.queueNamed) row.queue = declared?.queue ?? this.names.idOf(`task/${this.names.textOf(row.task)}`);
    row.state = declared && this.#declarations.knows(row.environment, row.queue) ? RunState.QUEUED : RunState.PENDING_VERSION;
  }

  #reschedule({ run, dueMs, replacement }: RunRescheduled): void {
    const row = this.#change(Number(run));
    if (!row) return;
    if (replacement) this.#replace(row, replacement);
    row.queueMs = Math.max(Number(dueMs), this.#now);
    if (row.queueMs === this.#now) this.#enter(row);
  }

  #replace(row: CachedRow, { payload, maxAttempts, settings }: NewRun): void {
    const declared = this.#declarations.task(row.environment, row.task);
    // Replaced twice between two flushes: the table has the tags from before the first time.
    if (row.stored) row.replacedTags ??= row.tags;
    row.askedAttempts = maxAttempts;
    row.maxAttempts = maxAttempts || (declared?.maxAttempts ?? defaultMaxAttempts);
    row.payload = payload ? toBinary(PayloadSchema, payload) : null;
    row.metadata = settings?.metadata ? toBinary(PayloadSchema, settings.metadata) : null;
    row.tags = settings?.tags ?? noTags;
    row.asked = { ...(row.asked ?? { version: "" }), machine: settings?.machine ?? "", maxDurationSeconds: settings?.maxDurationSeconds };
    this.#bytes += (row.payload?.length ?? 0) + (row.metadata?.length ?? 0);
  }

  #update({ run, tags, metadata }: RunUpdated): void {
    const row = this.#change(Number(run));
    if (!row) return;
    if (tags) row.tags = tags.tags;
    if (metadata) row.metadata = toBinary(PayloadSchema, metadata);
    this.#bytes += row.metadata?.length ?? 0;
  }

  #fail({ run, failure, retryAtMs, retryMachine }: AttemptFailed): void {
    const row = this.#change(Number(run));
    if (!row) return;
    row.failure = failure ? toBinary(FailureSchema, failure) : null;
    this.#bytes += row.failure?.length ?? 0;
    if (retryMachine) row.machine = this.names.idOf(retryMachine);
    if (retryAtMs === undefined) {
      row.state = failedState(failure);
      row.finishMs = this.#now;
      return;
    }
    const delay = Number(retryAtMs) - this.#now;
    if (delay <= 0) {
      row.state = RunState.QUEUED;
      return;
    }
    // A run that gave its slot back, because its code waited when it failed, takes none for the delay.
    const keepsSlot = row.state !== RunState.WAITING && delay < shortDelayMs;
    row.state = keepsSlot ? RunState.EXECUTING : RunState.QUEUED;
    row.retryMs = Number(retryAtMs);
  }

  /** Rows of runs follow what has been declared: those that change go to the table first, where the moves find them. */
  #follow(moves: readonly Statement[]): void {
    if (moves.length === 0) return;
    this.#write();
    for (const { sql, values } of moves) this.#sqlite.prepare(sql).run(values);
    this.#rows.clear();
    this.#moved = true;
  }

  /** Writes all changes, in the transaction that the next flush ends: what is ahead of the position must not outlive a crash. */
  #write(): void {
    if (!this.#writing) this.#sqlite.exec("BEGIN");
    this.#writing = true;
    for (const { sql, values } of this.#pending) this.#sqlite.prepare(sql).run(values);
    for (const row of this.#dirty) this.table.write(row);
    this.table.finish();
    this.#pending.length = 0;
    for (const row of this.#dirty) {
      row.dirty = false;
      row.stored = true;
      row.payload = null;
      row.output = null;
      row.metadata = null;
      row.replacedTags = null;
      if (row.finishMs > 0) this.#rows.delete(row.number);
    }
    this.#dirty = [];
    this.#bytes = 0;
  }

  #trim(): void {
    if (this.#rows.size <= cachedRows.most) return;
    let surplus = this.#rows.size - cachedRows.kept;
    for (const number of this.#rows.keys()) {
      this.#rows.delete(number);
      surplus -= 1;
      if (surplus === 0) return;
    }
  }

  #setState(number: number, state: RunState): void {
    const row = this.#change(number);
    if (row) row.state = state;
  }

  /** The row of a run that changes now. Undefined if the log that history began with did not hold its creation any more. */
  #change(number: number): CachedRow | undefined {
    const row = this.#row(number);
    if (!row) return undefined;
    if (!row.dirty) {
      row.dirty = true;
      this.#dirty.push(row);
      this.#bytes += 300;
    }
    row.position = this.#position;
    return row;
  }

  #row(number: number): CachedRow | undefined {
    const known = this.#rows.get(number);
    if (known) return known;
    const stored = this.table.read(number);
    if (!stored) return undefined;
    const row: CachedRow = { ...stored, stored: true, rare: true, dirty: false, payload: null, output: null, metadata: null, replacedTags: null };
    this.#rows.set(number, row);
    return row;
  }
}

function all<T>(sqlite: Database.Database, sql: string): T[] {
  return sqlite.prepare(sql).raw().all() as T[];
}
