import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Log } from "@runlane/platform";
import { type Batch, type Event, LogRecordSchema, type NewRun } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Run, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { cancelFailure } from "../engine/apply.js";
import type { Durable } from "../engine/durable.js";
import { type Environment, maxAttemptsOf, queueNameOf } from "../engine/environment.js";
import { runIdOf } from "../engine/run-id.js";

/**
 * Where the log tells of each run: enough to answer for runs that memory has forgotten. Four numbers a run (32 bytes), indexed by run number.
 *
 * Stands in for history, and goes when history comes.
 */
export class PastRuns {
  readonly #log: Log;
  readonly #durable: Durable;
  readonly #created = new Positions();
  readonly #firstStart = new Positions();
  readonly #lastStart = new Positions();
  readonly #finished = new Positions();
  readonly #versions = new Map<number, string>();

  constructor(log: Log, durable: Durable) {
    this.#log = log;
    this.#durable = durable;
  }

  /** Notes where a batch stands. */
  note(batch: Batch, sequence: number): void {
    for (const { event } of batch.events) {
      switch (event.case) {
        case "runsCreated": {
          const first = Number(event.value.firstNumber);
          for (let i = 0; i < event.value.runs.length; i++) this.#created.set(first + i, sequence);
          break;
        }
        case "runAssigned": {
          const run = Number(event.value.run);
          if (this.#firstStart.get(run) === 0) this.#firstStart.set(run, sequence);
          this.#lastStart.set(run, sequence);
          break;
        }
        case "attemptSucceeded":
        case "runCanceled":
          this.#finished.set(Number(event.value.run), sequence);
          break;
        case "attemptFailed":
          if (event.value.retryAtMs === undefined) this.#finished.set(Number(event.value.run), sequence);
          break;
        case "sessionOpened":
          this.#versions.set(Number(event.value.session), event.value.version);
          break;
        default:
      }
    }
  }

  /** Reads a finished run of an environment from the log; undefined if there is none with this number. */
  async read(environment: Environment, number: number): Promise<Run | undefined> {
    const [created, finished] = [this.#created.get(number), this.#finished.get(number)];
    if (created === 0 || finished === 0) return undefined;
    const births = await this.#batchAt(created);
    const birth = births && findBirth(births, number);
    if (!births || !birth || birth.environment !== environment.name) return undefined;
    const end = await this.#batchAt(finished);
    const run = create(RunSchema, {
      id: runIdOf(environment, number),
      taskId: birth.run.taskId,
      queue: birth.run.queue || queueNameOf(birth.run.taskId, environment.tasks.get(birth.run.taskId)),
      createTime: timestampFromMs(Number(births.nowMs)),
      finishTime: end && timestampFromMs(Number(end.nowMs)),
      maxAttempts: birth.run.maxAttempts || maxAttemptsOf(environment.tasks.get(birth.run.taskId)),
      payload: birth.run.payload,
      parentRunId: birth.parent ? runIdOf(environment, birth.parent) : "",
    });
    for (const { event } of end?.events ?? []) conclude(run, event, number);
    await this.#addAttempts(run, number);
    await this.#addAncestors(run, environment, birth.parent);
    return run;
  }

  async #addAttempts(run: Run, number: number): Promise<void> {
    const first = this.#firstStart.get(number);
    if (first === 0) return;
    const begun = await this.#batchAt(first);
    run.startTime = begun && timestampFromMs(Number(begun.nowMs));
    const last = await this.#batchAt(this.#lastStart.get(number));
    for (const { event } of last?.events ?? []) {
      if (event.case !== "runAssigned" || Number(event.value.run) !== number) continue;
      run.attemptCount = event.value.attempt;
      run.version = this.#versions.get(Number(event.value.session)) ?? "";
    }
  }

  async #addAncestors(run: Run, environment: Environment, parent: number): Promise<void> {
    let root = parent;
    for (let next = parent; next > 0; run.depth += 1) {
      root = next;
      const live = this.#durable.runs.get(next);
      if (live) {
        run.depth += live.depth;
        root = live.root || next;
        next = 0;
        continue;
      }
      const batch = await this.#batchAt(this.#created.get(next));
      next = batch ? (findBirth(batch, next)?.parent ?? 0) : 0;
    }
    run.rootRunId = root ? runIdOf(environment, root) : "";
  }

  async #batchAt(sequence: number): Promise<Batch | undefined> {
    const bytes = await this.#log.at(sequence);
    const record = bytes && fromBinary(LogRecordSchema, bytes).record;
    return record?.case === "batch" ? record.value : undefined;
  }
}

function findBirth(batch: Batch, number: number): { run: NewRun; environment: string; parent: number } | undefined {
  for (const { event } of batch.events) {
    if (event.case !== "runsCreated") continue;
    const run = event.value.runs[number - Number(event.value.firstNumber)];
    if (run) return { run, environment: event.value.environment, parent: Number(event.value.parent) };
  }
  return undefined;
}

function conclude(run: Run, event: Event["event"], number: number): void {
  if (event.case === "attemptSucceeded" && Number(event.value.run) === number) {
    run.state = RunState.COMPLETED;
    run.output = event.value.output;
  } else if (event.case === "attemptFailed" && Number(event.value.run) === number) {
    run.state = RunState.FAILED;
    run.failure = event.value.failure;
  } else if (event.case === "runCanceled" && Number(event.value.run) === number) {
    run.state = RunState.CANCELED;
    run.failure = cancelFailure(event.value.reason);
  }
}

/** A growing array of numbers, in chunks, so that growing never copies what is there. */
class Positions {
  static readonly #size = 65_536;
  readonly #chunks: Float64Array[] = [];

  get(index: number): number {
    return this.#chunks[Math.floor(index / Positions.#size)]?.[index % Positions.#size] ?? 0;
  }

  set(index: number, value: number): void {
    const at = Math.floor(index / Positions.#size);
    while (this.#chunks.length <= at) this.#chunks.push(new Float64Array(Positions.#size));
    (this.#chunks[at] as Float64Array)[index % Positions.#size] = value;
  }
}
