import { type Log, type Logger, refusal, type SnapshotStore } from "@runlane/platform";
import type {
  AwaitChangesRequest,
  AwaitChangesResponse,
  FindRunsRequest,
  FindRunsResponse,
} from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { PageSide } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RunView } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { runNumberOf } from "../engine/run-id.js";
import { markOf } from "../owner/record-mark.js";
import { ChangeStreams } from "./change-streams.js";
import { type HistoryDatabase, openHistoryDatabase, removeHistoryDatabase } from "./history-database.js";
import { newestSnapshot, seedHistory } from "./history-seed.js";
import { type FollowedLog, LogFollower } from "./log-follower.js";
import { Reducer } from "./reducer.js";
import { rowFilter } from "./row-filter.js";
import { addBodies, basicRun, type RowContext, runBytes } from "./run-message.js";
import { ChangeQuery, findRows } from "./run-query.js";

/** Changes that are written at the latest, by number and by bytes. */
const most = { rows: 40_000, bytes: 32 * 1024 * 1024 } as const;
/** How long changes gather if nobody asks for them: the longer, the more runs come and go between two writes. */
const calmMs = 2_000;
/** How long they gather while somebody waits for changes. */
const watchedMs = 4;
/** Bytes of one page. */
const pageBytes = 512 * 1024;

/** What a projection works on. */
export interface ProjectionOptions {
  /** Path of the database, or ":memory:". */
  readonly file: string;
  readonly log: Log;
  /** Where snapshots are, for a history that begins behind what was purged of the log. */
  readonly snapshots?: SnapshotStore;
  readonly logger: Logger;
}

/** History: the runs of a partition as rows, made of its log, and the answers that they give. */
export class Projection {
  readonly #database: HistoryDatabase;
  readonly #reducer: Reducer;
  readonly #follower: LogFollower;
  readonly #streams: ChangeStreams;
  readonly #context: RowContext;
  #written: number;
  #flushTimer: NodeJS.Timeout | undefined;
  #flushDue = Number.POSITIVE_INFINITY;

  /** Opens the history of a log: the one that the file holds if it is of this log, else a new one. */
  static async open(options: ProjectionOptions): Promise<Projection> {
    let database = openHistoryDatabase(options.file);
    let from = followedBy(database);
    const first = await options.log.first();
    // A record at the position of this history is never purged. One that is behind it is another node's, or is new.
    const isBehind = from.position < first && first > 1;
    if (!isBehind && !(await continues(options.log, from))) {
      options.logger.warn({ position: from.position }, "history is of another log, or of one that had more: it is made anew");
      database.sqlite.close();
      removeHistoryDatabase(options.file);
      database = openHistoryDatabase(options.file);
      from = followedBy(database);
    }
    if (from.position < first && first > 1) from = await seeded(options, database, first);
    return new Projection(options, database, from);
  }

  private constructor({ log, logger }: ProjectionOptions, database: HistoryDatabase, from: FollowedLog) {
    this.#database = database;
    this.#written = from.position;
    this.#reducer = new Reducer(database.sqlite);
    this.#context = this.#reducer;
    this.#follower = new LogFollower(log, from, { take: (sequence, record) => this.#take(sequence, record) }, logger);
    const source = { table: this.#reducer.table, changes: new ChangeQuery(database.sqlite), context: this.#context, position: () => this.#written };
    this.#streams = new ChangeStreams(source, (text) => this.#reducer.names.idOf(text));
  }

  /** Up to where the log has been taken. */
  get position(): number {
    return this.#follower.followed.position;
  }

  /** An owner begins to serve: calls wait until its epoch record has been taken. */
  begin(epoch: number): void {
    this.#follower.begin(epoch);
  }

  /** A record that the owner committed. */
  take(sequence: number, record: Uint8Array): void {
    this.#follower.take(sequence, record);
  }

  /** The owner committed up to `sequence`, and did not send all of it. */
  know(sequence: number): void {
    this.#follower.know(sequence);
  }

  /** Answers FindRuns. */
  async find(request: FindRunsRequest): Promise<FindRunsResponse> {
    await this.#reached(Number(request.logSequence));
    const { filter, limit, environment, view } = request;
    const compiled = rowFilter(environment, filter, this.#context, (text) => this.#reducer.names.find(text));
    const side = request.side === PageSide.NEWER ? "newer" : "older";
    const found = findRows(this.#database.sqlite, compiled, { side, pivot: this.#pivotOf(request, side) }, limit + 1);
    const runs: Run[] = [];
    let bytes = 0;
    for (const row of found.slice(0, limit)) {
      const bodies = view === RunView.FULL ? this.#reducer.table.bodiesOf(row.number) : undefined;
      bytes += runBytes(row, bodies);
      if (runs.length > 0 && bytes > pageBytes) break;
      const run = basicRun(this.#context, row);
      runs.push(bodies ? addBodies(run, bodies) : run);
    }
    const more = found.length > runs.length;
    if (side === "newer") runs.reverse();
    return { $typeName: "runlane.internal.v1.FindRunsResponse", runs, more };
  }

  /** Answers AwaitChanges. */
  async awaitChanges(request: AwaitChangesRequest): Promise<AwaitChangesResponse> {
    await this.#reached(Number(request.open?.logSequence ?? 0));
    return await this.#streams.answer(request);
  }

  /** A run with payload and output, as it was at `sequence` or later; undefined if there is none. */
  async read(environment: string, runId: string, sequence: number): Promise<Run | undefined> {
    await this.#reached(sequence);
    const name = this.#context.names.find(environment);
    const number = runNumberOf({ tag: this.#context.tags.get(name) ?? "" }, runId);
    const row = number === undefined ? undefined : this.#reducer.table.read(number);
    return row?.environment === name ? addBodies(basicRun(this.#context, row), this.#reducer.table.bodiesOf(row.number)) : undefined;
  }

  /** Writes what is not written, brings it to the disk, and says up to where in the log that is. What is committed alone, a power loss may take back. */
  secure(): number {
    this.#flush();
    this.#database.sqlite.prepare("PRAGMA wal_checkpoint(FULL)").all();
    return this.#written;
  }

  /** Writes what is not written, and closes the file. */
  close(): void {
    this.#follower.close();
    this.#flush();
    this.#database.sqlite.close();
  }

  /** Until everything that the caller must see is in the table. */
  async #reached(sequence: number): Promise<void> {
    await this.#follower.reached(sequence);
    this.#flush();
  }

  #take(sequence: number, record: Uint8Array): void {
    this.#reducer.take(sequence, record);
    const { changed, changedBytes } = this.#reducer;
    if (changed.length >= most.rows || changedBytes >= most.bytes) this.#flush();
    else this.#flushWithin(this.#streams.awaited ? watchedMs : calmMs);
  }

  #flushWithin(ms: number): void {
    const due = performance.now() + ms;
    if (due >= this.#flushDue) return;
    clearTimeout(this.#flushTimer);
    this.#flushDue = due;
    this.#flushTimer = setTimeout(() => this.#flush(), ms);
  }

  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushDue = Number.POSITIVE_INFINITY;
    const { position, mark } = this.#follower.followed;
    if (position === this.#written) return;
    this.#streams.note(this.#reducer.changed);
    const lost = this.#reducer.flush(position, mark);
    this.#written = position;
    this.#streams.written(position, lost);
  }

  #pivotOf({ pivotRunId, withPivot, environment }: FindRunsRequest, side: "older" | "newer"): number {
    if (pivotRunId === "") return side === "older" ? Number.MAX_SAFE_INTEGER : 0;
    const tag = this.#context.tags.get(this.#context.names.find(environment)) ?? "";
    const number = runNumberOf({ tag }, pivotRunId);
    if (number === undefined) throw refusal("RUN_NOT_FOUND", `there is no run ${pivotRunId}`, { resource: { type: "run", name: pivotRunId } });
    if (!withPivot) return number;
    return side === "older" ? number + 1 : number - 1;
  }
}

function followedBy({ sqlite }: HistoryDatabase): FollowedLog {
  const [position, mark] = sqlite.prepare("SELECT position, mark FROM followed").raw().get([]) as [number, Uint8Array];
  return { position, mark };
}

/** Lets history begin where the log does: with what a snapshot knows of the time before, if there is one. */
async function seeded({ log, snapshots, logger }: ProjectionOptions, database: HistoryDatabase, first: number): Promise<FollowedLog> {
  const { position } = followedBy(database);
  const restored = snapshots && (await newestSnapshot(log, snapshots, logger));
  if (!restored) {
    logger.warn({ position, first }, "the log begins behind history, and no snapshot can be used: what happened between is missing from lists");
    return { position: first - 1, mark: new Uint8Array() };
  }
  seedHistory(database.sqlite, restored);
  logger.warn(
    { position, first, snapshot: restored.sequence, runs: restored.durable.runs.size },
    "the log begins behind history, which goes on from a snapshot: runs that ended between, and that the snapshot does not know any more, are missing from lists",
  );
  return followedBy(database);
}

/** Whether a log goes on where history left off. */
async function continues(log: Log, { position, mark }: FollowedLog): Promise<boolean> {
  if (position === 0) return true;
  if ((await log.last()) < position) return false;
  const record = await log.at(position);
  return record !== undefined && Buffer.compare(markOf(record), mark) === 0;
}
