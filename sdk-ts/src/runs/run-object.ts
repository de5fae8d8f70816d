import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { PendingReason, type Run, RunState } from "#gen/runlane/v1/run_pb.js";
import { type SerializedError, serializedError } from "../errors/failure-error.js";
import type { IdempotencyKeyScope } from "../idempotency/idempotency-key.js";
import { keyScopes } from "../idempotency/key-scopes.js";
import { type RunMetadata, runMetadataOf } from "../metadata/metadata-value.js";
import { plainValueOfPayload } from "../payload.js";
import type { InferRunTypes } from "../task/task-types.js";
import { periodText } from "../time/period.js";

/** Where a run stands, as in Trigger.dev. "UNKNOWN" is a state that this version of the SDK does not know; it is not final. */
export type RunStatus =
  | "PENDING_VERSION"
  | "QUEUED"
  | "DEQUEUED"
  | "EXECUTING"
  | "WAITING"
  | "COMPLETED"
  | "CANCELED"
  | "FAILED"
  | "CRASHED"
  | "SYSTEM_FAILURE"
  | "DELAYED"
  | "EXPIRED"
  | "TIMED_OUT"
  | "UNKNOWN";

/** Why a run does not execute now; the contract's PendingReason says what each means. */
export type RunPendingReason = Exclude<keyof typeof PendingReason, "UNSPECIFIED">;

/** A run as `runs.retrieve` shows it: Trigger.dev's fields, as far as they have a meaning so far. */
export interface RetrievedRun<TPayload, TOutput> {
  id: string;
  status: RunStatus;
  taskIdentifier: string;
  /** Version of the code that runs it, for instance "20261123.1". Undefined before the first attempt. */
  version?: string;
  createdAt: Date;
  /** When its first attempt started. */
  startedAt?: Date;
  /** When it reached its final state. */
  finishedAt?: Date;
  /** When it enters, or entered, its queue, if its trigger asked for a delay. */
  delayedUntil?: Date;
  /** How long it may be in its queue before it starts, for instance "10m"; undefined for no limit. */
  ttl?: string;
  /** When it expired. */
  expiredAt?: Date;
  /** Its idempotency key as its author wrote it. */
  idempotencyKey?: string;
  /** The batch that it belongs to. */
  batchId?: string;
  /** It was triggered as a test, or by a run that was. */
  isTest: boolean;
  /** Time from its start to its end, or to now, in milliseconds; 0 before it starts. */
  durationMs: number;
  /** 0: runs cost nothing here. */
  costInCents: number;
  /** 0. */
  baseCostInCents: number;
  /** Attempts started so far. */
  attemptCount: number;
  /** Number of ancestors. */
  depth: number;
  /** It stands in its queue, is delayed, or waits for a worker that knows its task. */
  isQueued: boolean;
  /** It executes, or is about to. */
  isExecuting: boolean;
  /** Its code waits for something. */
  isWaiting: boolean;
  /** It is final, however it ended. */
  isCompleted: boolean;
  /** It returned. */
  isSuccess: boolean;
  /** It is final and neither returned nor was cancelled. */
  isFailed: boolean;
  /** It was cancelled. */
  isCancelled: boolean;
  /** What it was triggered with, as plain JSON: a Date is a string here. From `subscribeToRun` as it was: a Date is a Date. */
  payload?: TPayload;
  /** What it returned; as `payload`. */
  output?: TOutput;
  /** Why it failed; while it is retried, why its last attempt did. */
  error?: SerializedError;
  /** In the order in which they came. */
  tags: string[];
  /** Undefined if it never had any. */
  metadata?: RunMetadata;
  /** Preset of the machine that its attempts run on; undefined if its task asks for none. Ours. */
  machine?: string;
  /** The run whose code triggered it, and the first of its ancestors. */
  relatedRuns: { root?: { id: string }; parent?: { id: string } };
  /** Its queue. Ours. */
  queue: string;
  /** Attempts that it may have in total. Ours. */
  maxAttempts: number;
  /** Why it does not execute now; undefined while it does, and once it is final. Ours. */
  pendingReason?: RunPendingReason;
  /** When the next attempt is due, while it waits out a retry delay. Ours. */
  retryAt?: Date;
  /** When it expires unless it starts before. Ours. */
  expiresAt?: Date;
  /** The concurrency key that its trigger gave. Ours. */
  concurrencyKey?: string;
  /** Seconds by which it counts as older in its queue; undefined for 0. Ours. */
  priority?: number;
  /** The scope of its idempotency key, if it is known. Ours. */
  idempotencyKeyScope?: IdempotencyKeyScope;
  /** The run that it repeats. Ours. */
  replayOf?: string;
}

/** A run, with the payload and output types of its handle or task. */
export type RetrieveRunResult<T> = RetrievedRun<InferRunTypes<T>["payload"], InferRunTypes<T>["output"]>;

const queued = new Set<RunStatus>(["QUEUED", "PENDING_VERSION", "DELAYED"]);
const executing = new Set<RunStatus>(["EXECUTING", "DEQUEUED"]);
const failed = new Set<RunStatus>(["FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"]);

/** Makes the public form of a run. `read` reads payload and output; by default as plain JSON, as Trigger.dev does. */
export function retrievedRun<TPayload, TOutput>(run: Run, read = plainValueOfPayload): RetrievedRun<TPayload, TOutput> {
  const status = runStatus(run.state);
  const isFailed = failed.has(status);
  const shown: RetrievedRun<TPayload, TOutput> = {
    id: run.id,
    status,
    taskIdentifier: run.taskId,
    createdAt: run.createTime ? timestampDate(run.createTime) : new Date(0),
    attemptCount: run.attemptCount,
    depth: run.depth,
    isQueued: queued.has(status),
    isExecuting: executing.has(status),
    isWaiting: status === "WAITING",
    isCompleted: isFailed || status === "COMPLETED" || status === "CANCELED",
    isSuccess: status === "COMPLETED",
    isFailed,
    isCancelled: status === "CANCELED",
    relatedRuns: {},
    queue: run.queue,
    maxAttempts: run.maxAttempts,
    tags: [...run.tags],
    isTest: run.test,
    durationMs: run.startTime ? Math.max(0, (run.finishTime ? timestampMs(run.finishTime) : Date.now()) - timestampMs(run.startTime)) : 0,
    costInCents: 0,
    baseCostInCents: 0,
  };
  if (run.version) shown.version = run.version;
  if (run.startTime) shown.startedAt = timestampDate(run.startTime);
  if (run.finishTime) shown.finishedAt = timestampDate(run.finishTime);
  if (run.retryTime) shown.retryAt = timestampDate(run.retryTime);
  showTriggering(run, shown);
  if (run.payload) shown.payload = read(run.payload) as TPayload;
  if (run.output) shown.output = read(run.output) as TOutput;
  if (run.failure) shown.error = serializedError(run.failure);
  if (run.rootRunId) shown.relatedRuns.root = { id: run.rootRunId };
  if (run.parentRunId) shown.relatedRuns.parent = { id: run.parentRunId };
  if (run.metadata) shown.metadata = runMetadataOf(run.metadata);
  if (run.machine) shown.machine = run.machine;
  if (run.pendingReason) shown.pendingReason = PendingReason[run.pendingReason] as RunPendingReason | undefined;
  return shown;
}

/** What of its trigger's options a run shows, where they were given. */
function showTriggering(run: Run, shown: RetrievedRun<unknown, unknown>): void {
  if (run.queueTime && run.createTime && timestampMs(run.queueTime) > timestampMs(run.createTime)) shown.delayedUntil = timestampDate(run.queueTime);
  if (run.ttlSeconds > 0) shown.ttl = periodText(run.ttlSeconds);
  if (run.state === RunState.EXPIRED && run.finishTime) shown.expiredAt = timestampDate(run.finishTime);
  if (run.expireTime) shown.expiresAt = timestampDate(run.expireTime);
  if (run.idempotencyKey) shown.idempotencyKey = run.idempotencyKey;
  const scope = keyScopes[run.idempotencyScope];
  if (scope) shown.idempotencyKeyScope = scope;
  if (run.batchId) shown.batchId = run.batchId;
  if (run.concurrencyKey) shown.concurrencyKey = run.concurrencyKey;
  if (run.prioritySeconds !== 0) shown.priority = run.prioritySeconds;
  if (run.replayOfRunId) shown.replayOf = run.replayOfRunId;
}

function runStatus(state: RunState): RunStatus {
  return state === RunState.UNSPECIFIED ? "UNKNOWN" : ((RunState[state] as RunStatus | undefined) ?? "UNKNOWN");
}
