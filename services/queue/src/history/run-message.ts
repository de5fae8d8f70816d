import { create, fromBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FailureSchema, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { IdempotencyScope, PendingReason, type Run, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { batchIdOf, runIdOf } from "../engine/run-id.js";
import type { HistoryRow } from "./history-row.js";
import type { Names } from "./names.js";

/** What a row's numbers stand for. */
export interface RowContext {
  readonly names: Names;
  /** Tags of environments, by the number of their name. */
  readonly tags: ReadonlyMap<number, string>;
}

/** A run as the API shows it, without payload and output. */
export function basicRun({ names, tags }: RowContext, row: HistoryRow): Run {
  const started = row.startMs > 0;
  const environment = { tag: tags.get(row.environment) ?? "" };
  const time = (ms: number): Timestamp | undefined => (ms ? timestampFromMs(ms) : undefined);
  return create(RunSchema, {
    id: runIdOf(environment, row.number),
    taskId: names.textOf(row.task),
    state: row.state,
    pendingReason: pendingReasonOf(row),
    queue: names.textOf(row.queue),
    attemptCount: row.attempt,
    maxAttempts: row.maxAttempts,
    createTime: time(row.createMs),
    startTime: time(row.startMs),
    finishTime: time(row.finishMs),
    retryTime: time(row.retryMs),
    failure: row.failure === null ? undefined : fromBinary(FailureSchema, row.failure),
    parentRunId: row.parent ? runIdOf(environment, row.parent) : "",
    rootRunId: row.root ? runIdOf(environment, row.root) : "",
    depth: row.depth,
    version: names.textOf(row.version),
    tags: [...row.tags],
    machine: started ? names.textOf(row.machine) : (row.asked?.machine ?? ""),
    maxDurationSeconds: started ? row.maxDurationSeconds : (row.asked?.maxDurationSeconds ?? 0),
    queueTime: time(row.queueMs || row.createMs),
    // What the task says is fixed when the run enters its queue.
    ttlSeconds: row.state === RunState.DELAYED ? (row.asked?.ttlSeconds ?? 0) : row.ttlSeconds,
    expireTime: inQueue(row) ? time(row.expireMs) : undefined,
    concurrencyKey: row.asked?.concurrencyKey ?? "",
    prioritySeconds: (row.asked?.priorityMs ?? 0) / 1_000,
    idempotencyKey: row.asked?.key ?? "",
    idempotencyScope: row.asked?.scope ?? IdempotencyScope.UNSPECIFIED,
    batchId: row.batch ? batchIdOf(environment, row.batch) : "",
    test: row.test,
    replayOfRunId: row.asked?.replayOf ? runIdOf(environment, row.asked.replayOf) : "",
    weight: row.asked?.weight ?? 1,
  });
}

/** Whether it waits for its first start. */
function inQueue({ state, startMs }: HistoryRow): boolean {
  return startMs === 0 && (state === RunState.QUEUED || state === RunState.PENDING_VERSION);
}

/** What of a run may be large: encoded messages of runlane.v1.Payload, null for none. */
export interface RunBodies {
  readonly payload: Uint8Array | null;
  readonly output: Uint8Array | null;
  readonly metadata: Uint8Array | null;
}

/** Adds payload, output and metadata, as they are encoded, to a run. */
export function addBodies(run: Run, { payload, output, metadata }: RunBodies): Run {
  if (payload !== null) run.payload = fromBinary(PayloadSchema, payload);
  if (output !== null) run.output = fromBinary(PayloadSchema, output);
  if (metadata !== null) run.metadata = fromBinary(PayloadSchema, metadata);
  return run;
}

/** About how many bytes a run takes in a message. */
export function runBytes(row: HistoryRow, bodies?: RunBodies): number {
  const large = bodies ? (bodies.payload?.length ?? 0) + (bodies.output?.length ?? 0) + (bodies.metadata?.length ?? 0) : 0;
  return 300 + (row.failure?.length ?? 0) + row.tags.reduce((bytes, tag) => bytes + 2 + 3 * tag.length, 0) + large;
}

/** As far as the state alone says it: who is connected, which limit binds, and what code waits for, only the owner knows. */
function pendingReasonOf({ state, retryMs }: HistoryRow): PendingReason {
  if (retryMs > 0) return PendingReason.DELAYED_UNTIL;
  if (state === RunState.DELAYED) return PendingReason.DELAYED_BY_TRIGGER;
  if (state === RunState.PENDING_VERSION) return PendingReason.UNKNOWN_TASK;
  if (state === RunState.DEQUEUED) return PendingReason.PLACING;
  return PendingReason.UNSPECIFIED;
}
