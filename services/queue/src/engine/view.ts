import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { IdempotencySetting } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Run, type RunResult, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type Task, TaskSchema } from "@runlane/platform/gen/runlane/v1/task_service_pb.js";
import type { Version } from "@runlane/platform/gen/runlane/v1/version_service_pb.js";
import { currentOf } from "./bound.js";
import { type Environment, maxAttemptsOf, queueNameOf, type TaskRecord } from "./environment.js";
import { failedState } from "./failure-state.js";
import { pendingReasonOf } from "./pending-reason.js";
import { phases } from "./phase.js";
import { batchIdOf, runIdOf } from "./run-id.js";
import type { RunExtras, RunRecord } from "./run-record.js";
import type { VersionRecord } from "./version-record.js";
import type { Connection, Volatile } from "./volatile.js";

/** State of a run as the API says it. */
export function stateOf(run: RunRecord): RunState {
  if (run.phase === "queued" && (!run.environment.tasks.has(run.taskId) || !run.queue.known)) return RunState.PENDING_VERSION;
  if (run.phase === "failed") return failedState(run.failure);
  return phases[run.phase].state;
}

/** How a final run ended. */
export function resultOf(run: RunRecord): RunResult {
  return {
    $typeName: "runlane.v1.RunResult",
    runId: runIdOf(run.environment, run.number),
    taskId: run.taskId,
    state: stateOf(run),
    ...(run.output ? { output: run.output } : {}),
    ...(run.failure ? { failure: run.failure } : {}),
  };
}

/** About how many bytes a result takes in a frame. */
export function runResultBytes(result: RunResult | undefined): number {
  if (!result) return 0;
  return 80 + (result.output?.data.length ?? 0) + (result.failure ? result.failure.message.length + result.failure.stackTrace.length + 200 : 0);
}

/** A run as the API shows it at `nowMs`. */
export function runMessageOf(volatile: Volatile, run: RunRecord, nowMs: number): Run {
  const time = (ms: number): Timestamp | undefined => (ms ? timestampFromMs(ms) : undefined);
  return create(RunSchema, {
    id: runIdOf(run.environment, run.number),
    taskId: run.taskId,
    state: stateOf(run),
    pendingReason: pendingReasonOf(volatile, run, nowMs),
    queue: run.queue.name,
    attemptCount: run.attempt,
    maxAttempts: run.maxAttempts,
    createTime: time(run.createMs),
    startTime: time(run.startMs),
    finishTime: time(run.finishMs),
    retryTime: time(run.retryAtMs),
    payload: run.payload,
    output: run.output,
    failure: run.failure,
    parentRunId: run.parent ? runIdOf(run.environment, run.parent) : "",
    rootRunId: run.root ? runIdOf(run.environment, run.root) : "",
    depth: run.depth,
    version: run.version,
    tags: [...(run.extras?.tags ?? [])],
    metadata: run.extras?.metadata,
    // Before the first attempt another declaration may change what the task says.
    machine: (run.startMs ? run.machine?.name : run.extras?.askedMachine) ?? "",
    maxDurationSeconds: (run.startMs ? run.maxDurationSeconds : run.extras?.askedDurationSeconds) ?? 0,
    queueTime: time(run.queueMs),
    weight: run.extras?.weight || 1,
    ...(run.extras ? settingsShown(run, run.extras) : {}),
  });
}

/** What most runs do not have. */
function settingsShown(run: RunRecord, extras: RunExtras) {
  const { ttlSeconds, askedTtlSeconds, expireMs, idempotency, concurrencyKey, priorityMs, batch, test, replayOf } = extras;
  return {
    // What the task says is fixed when the run enters its queue.
    ttlSeconds: run.phase === "deferred" ? (askedTtlSeconds ?? 0) : ttlSeconds,
    ...(expireMs && run.phase === "queued" && run.startMs === 0 ? { expireTime: timestampFromMs(expireMs) } : {}),
    concurrencyKey,
    prioritySeconds: priorityMs / 1_000,
    idempotencyKey: shownKeyOf(idempotency),
    idempotencyScope: idempotency?.scope ?? 0,
    batchId: batch ? batchIdOf(run.environment, batch) : "",
    test,
    replayOfRunId: replayOf ? runIdOf(run.environment, replayOf) : "",
  };
}

/** A key as its author wrote it; empty for none. */
export function shownKeyOf(idempotency: IdempotencySetting | undefined): string {
  return idempotency?.displayKey || (idempotency?.key ?? "");
}

/** A task as the API shows it. */
export function taskMessageOf(volatile: Volatile, environment: Environment, task: TaskRecord): Task {
  const { declaration, version } = task;
  const queue = queueNameOf(declaration.id, task);
  return create(TaskSchema, {
    id: declaration.id,
    description: declaration.description,
    filePath: declaration.filePath,
    queue,
    concurrencyLimit: limitOfQueue(environment, queue),
    maxAttempts: maxAttemptsOf(task),
    version,
    workerCount: countWorkers(volatile, environment, ({ tasks }) => tasks.has(declaration.id)),
    machine: declaration.machine,
    maxDurationSeconds: declaration.maxDurationSeconds,
    payloadSchema: declaration.payloadSchema,
  });
}

function limitOfQueue({ queues }: Environment, name: string): number | undefined {
  const queue = queues.get(name);
  return queue && currentOf(queue.keyLimit);
}

/** A version as the API shows it. */
export function versionMessageOf(volatile: Volatile, environment: Environment, record: VersionRecord): Version {
  const { version, buildId, createMs, setAside } = record;
  return {
    $typeName: "runlane.v1.Version",
    version,
    buildId,
    createTime: timestampFromMs(createMs),
    current: record === environment.versions.current,
    workerCount: countWorkers(volatile, environment, ({ session }) => session.version === version),
    setAside,
  };
}

function countWorkers(volatile: Volatile, environment: Environment, counts: (connection: Connection) => boolean): number {
  let count = 0;
  for (const connection of volatile.connections.values()) {
    if (connection.open && connection.session.environment === environment && counts(connection)) count += 1;
  }
  return count;
}
