import { create, equals } from "@bufbuild/protobuf";
import { refusal } from "@runlane/platform";
import {
  type AwaitChangesRequest,
  type AwaitChangesResponse,
  type FindRunsRequest,
  type FindRunsResponse,
  type OpenWatch,
  PageSide,
} from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { type Run, RunSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type RunChange, RunChangeSchema, RunView } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { fulfils } from "./run-filter.js";

/** Where lists have their runs from. */
export interface ListedRuns {
  /** Ids of all runs, in the order of their creation. */
  runIds(): readonly string[];
  /** A run as the owner shows it. */
  read(runId: string): Promise<Run>;
}

/** What one reader watches. */
interface Stream {
  readonly watch: OpenWatch;
  /** Runs as they were when they were told, or when the stream began. */
  readonly known: Map<string, Run>;
  /** To be told whatever they are. */
  readonly present: Set<string>;
  told: number;
}

// As they are when the module loads: a test may replace them by timers of its own.
const wait = setTimeout;
const stopWaiting = clearTimeout;

/**
 * Lists of runs and streams of their changes, made of what the owner itself shows of each run. A server has a database for them; the runs of a test are few.
 */
export class RunLists {
  readonly #runs: ListedRuns;
  readonly #streams = new Map<string, Stream>();
  #waiting: (() => void)[] = [];

  constructor(runs: ListedRuns) {
    this.#runs = runs;
  }

  /** Something was committed, or the platform is closed. */
  changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** See HistoryService. */
  async find({ filter, limit, pivotRunId, side, withPivot, view }: FindRunsRequest): Promise<FindRunsResponse> {
    const ids = this.#runs.runIds();
    const pivot = pivotRunId === "" ? -1 : ids.indexOf(pivotRunId);
    if (pivotRunId !== "" && pivot === -1) throw refusal("RUN_NOT_FOUND", `there is no run ${pivotRunId}`, { resource: { type: "run", name: pivotRunId } });
    const newer = side === PageSide.NEWER;
    const asked = newer ? ids.slice(withPivot ? pivot : pivot + 1) : ids.slice(0, pivot === -1 ? undefined : withPivot ? pivot + 1 : pivot).toReversed();
    const runs: Run[] = [];
    for (const id of asked) {
      const run = await this.#runs.read(id);
      if (fulfils(run, filter)) runs.push(inView(run, view === RunView.FULL));
      if (runs.length > limit) break;
    }
    const more = runs.length > limit;
    const page = runs.slice(0, limit);
    return { $typeName: "runlane.internal.v1.FindRunsResponse", runs: newer ? page.toReversed() : page, more };
  }

  /** See HistoryService. */
  async awaitChanges({ stream: name, open, close, waitMs }: AwaitChangesRequest): Promise<AwaitChangesResponse> {
    if (close) {
      this.#streams.delete(name);
      return response(0);
    }
    const unknownRunIds: string[] = [];
    if (open) this.#streams.set(name, await this.#opened(open, unknownRunIds));
    const stream = this.#streams.get(name);
    if (stream === undefined) throw refusal("WATCH_UNKNOWN", "the platform does not know the stream; open it again");
    const end = performance.now() + waitMs;
    for (;;) {
      const waking = this.#next(end - performance.now());
      const changes = await this.#changesOf(stream);
      if (changes.length > 0 || unknownRunIds.length > 0) return response((stream.told += 1), changes, unknownRunIds);
      if (!(await waking)) return response(stream.told);
    }
  }

  async #opened(watch: OpenWatch, unknownRunIds: string[]): Promise<Stream> {
    const known = new Map<string, Run>();
    for (const id of this.#runs.runIds()) known.set(id, await this.#runs.read(id));
    const named = watch.watches.flatMap(({ runIds }) => runIds);
    unknownRunIds.push(...named.filter((id) => !known.has(id)));
    return { watch, known, present: new Set(named.filter((id) => known.has(id))), told: 0 };
  }

  async #changesOf({ watch, known, present }: Stream): Promise<RunChange[]> {
    const changes: RunChange[] = [];
    for (const id of this.#runs.runIds()) {
      const run = await this.#runs.read(id);
      const before = known.get(id);
      if (before !== undefined && !present.has(id) && equals(RunSchema, before, run)) continue;
      known.set(id, run);
      present.delete(id);
      const watches = watch.watches.filter(({ runIds, filter }) => (filter ? fulfils(run, filter) : runIds.includes(id)));
      if (watches.length === 0) continue;
      const isFull = watches.some(({ view }) => view !== RunView.BASIC);
      changes.push(create(RunChangeSchema, { run: inView(run, isFull), watchIds: watches.map((one) => one.id) }));
    }
    return changes;
  }

  /** Resolves when something was committed: true; or false after `ms` milliseconds of real time. */
  #next(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = wait(() => resolve(false), Math.max(0, ms));
      timer.unref?.();
      this.#waiting.push(() => {
        stopWaiting(timer);
        resolve(true);
      });
    });
  }
}

function inView(run: Run, isFull: boolean): Run {
  if (isFull) return run;
  const { payload, output, metadata, ...basic } = run;
  return basic;
}

function response(told: number, changes: RunChange[] = [], unknownRunIds: string[] = []): AwaitChangesResponse {
  return { $typeName: "runlane.internal.v1.AwaitChangesResponse", cursor: `kit.${told}`, changes, unknownRunIds };
}
