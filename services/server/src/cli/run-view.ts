import { type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Failure, FailureKind, type Payload } from "@runlane/sdk/gen/runlane/v1/payload_pb.js";
import { PendingReason, type Run, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { periodText } from "@runlane/sdk/internal";
import { labelled } from "./table.js";

/** Why a run does not execute, for people. */
const pendingWords: Record<PendingReason, string> = {
  [PendingReason.UNSPECIFIED]: "",
  [PendingReason.UNKNOWN_TASK]: "no worker has declared this task so far",
  [PendingReason.NO_WORKER]: "no worker that has the task is connected",
  [PendingReason.WORKER_CAPACITY]: "every worker that has the task is busy",
  [PendingReason.QUEUE_LIMIT]: "the queue's concurrency limit is reached",
  [PendingReason.DELAYED_UNTIL]: "waiting out a retry delay",
  [PendingReason.WAITING_FOR_RUNS]: "waiting for other runs",
  [PendingReason.PLACING]: "being placed",
  [PendingReason.NO_WORKER_OF_VERSION]: "no worker that has its version of the code is connected",
  [PendingReason.NO_MACHINE]: "no connected worker is large enough for its machine",
  [PendingReason.DELAYED_BY_TRIGGER]: "delayed by its trigger",
  [PendingReason.UNKNOWN_QUEUE]: "no worker has declared its queue so far",
  [PendingReason.CONCURRENCY_KEY_LIMIT]: "the limit of its concurrency key is reached",
  [PendingReason.QUEUE_TOTAL_LIMIT]: "the queue's limit over all concurrency keys is reached",
  [PendingReason.CONCURRENCY_LIMIT]: "a concurrency limit that its task holds is reached",
  [PendingReason.ENVIRONMENT_LIMIT]: "the environment's concurrency limit is reached",
  [PendingReason.RATE_LIMIT]: "a rate limit allows its start later",
  [PendingReason.QUEUE_PAUSED]: "its queue is paused",
  [PendingReason.CONCURRENCY_LIMIT_PAUSED]: "a concurrency limit that it holds is paused",
  [PendingReason.ENVIRONMENT_PAUSED]: "its environment is paused",
  [PendingReason.BEHIND_OTHERS]: "others of its queue are before it",
  [PendingReason.WAITING_FOR_TIME]: "waiting for a time",
  [PendingReason.WAITING_FOR_TOKEN]: "waiting for a token",
};

const columnWidths = [18, 15, 20, 24, 12, 24];

/** The state's name as the contract has it, for instance "EXECUTING". */
export function stateName(state: RunState): string {
  return RunState[state] ?? `UNKNOWN_${state}`;
}

/** A run on one line of a list, under {@link runLineHead}. */
export function runLine(run: Run): string {
  const took = run.startTime ? elapsed(run.finishTime ?? run.startTime, run.startTime) : "";
  return columns([run.id, stateName(run.state), run.taskId, run.queue, run.version, isoTime(run.createTime) ?? "", run.finishTime ? took : ""]);
}

/** What the columns of {@link runLine} are. */
export function runLineHead(): string {
  return columns(["RUN", "STATE", "TASK", "QUEUE", "VERSION", "CREATED", "TOOK"]);
}

/** One line about where a run stands. */
export function progressLine(run: Run): string {
  return [stateName(run.state).padEnd(9), progressWords(run)].join(" ").trimEnd();
}

/** A run in full, for people. */
export function runDetails(run: Run): string {
  return labelled([
    ["run", run.id],
    ["state", [stateName(run.state), pendingWords[run.pendingReason]].filter(Boolean).join(": ")],
    ["task", run.taskId],
    ["queue", run.queue],
    ["attempts", `${run.attemptCount} of ${run.maxAttempts}`],
    ["version", run.version],
    ["machine", run.machine],
    ["active", run.maxDurationSeconds > 0 ? `${run.maxDurationSeconds} s at most` : ""],
    ["tags", run.tags.join(", ")],
    ["key", run.idempotencyKey],
    ["lane", run.concurrencyKey],
    ["priority", run.prioritySeconds === 0 ? "" : `${run.prioritySeconds} s`],
    ["batch", run.batchId],
    ["test", run.test ? "yes" : ""],
    ["replay of", run.replayOfRunId],
    ["parent", run.parentRunId],
    ["created", isoTime(run.createTime) ?? ""],
    ["due", isDelayed(run) ? withOffset(run.queueTime, run.createTime) : ""],
    ["expires", isoTime(run.expireTime) ?? (run.ttlSeconds > 0 && !run.startTime ? `${periodText(run.ttlSeconds)} after it is due` : "")],
    ["started", withOffset(run.startTime, run.createTime)],
    ["finished", withOffset(run.finishTime, run.startTime ?? run.createTime)],
    ["retry at", isoTime(run.retryTime) ?? ""],
    ["payload", payloadText(run.payload)],
    ["metadata", payloadText(run.metadata)],
    ["output", payloadText(run.output)],
    ["failure", run.failure ? failureText(run.failure) : ""],
  ]);
}

/** Whether its trigger asked for a delay. */
function isDelayed({ queueTime, createTime }: Run): boolean {
  return queueTime !== undefined && createTime !== undefined && timestampMs(queueTime) > timestampMs(createTime);
}

/** A failure on one line: `TypeError: x is not a function`. */
function failureLine(failure: Failure): string {
  if (failure.kind === FailureKind.VALUE && failure.raw) return `threw ${payloadText(failure.raw)}`;
  const name = failure.kind === FailureKind.INTERNAL ? failure.code || failure.name : failure.name;
  return [name, failure.message].filter(Boolean).join(": ");
}

/** A run as JSON for programs. Field names as in the contract's JSON form; payload and output as the values that they are. */
export function runToJson(run: Run): Record<string, unknown> {
  return withoutEmpty({
    id: run.id,
    taskId: run.taskId,
    state: stateName(run.state),
    pendingReason: run.pendingReason === PendingReason.UNSPECIFIED ? undefined : PendingReason[run.pendingReason],
    queue: run.queue,
    attemptCount: run.attemptCount,
    maxAttempts: run.maxAttempts,
    createTime: isoTime(run.createTime),
    startTime: isoTime(run.startTime),
    finishTime: isoTime(run.finishTime),
    retryTime: isoTime(run.retryTime),
    queueTime: isoTime(run.queueTime),
    expireTime: isoTime(run.expireTime),
    ttlSeconds: run.ttlSeconds || undefined,
    concurrencyKey: run.concurrencyKey,
    prioritySeconds: run.prioritySeconds || undefined,
    idempotencyKey: run.idempotencyKey,
    batchId: run.batchId,
    test: run.test || undefined,
    replayOfRunId: run.replayOfRunId,
    payload: payloadValue(run.payload),
    output: payloadValue(run.output),
    failure: run.failure && failureToJson(run.failure),
    parentRunId: run.parentRunId,
    rootRunId: run.rootRunId,
    depth: run.depth,
    version: run.version,
    machine: run.machine,
    maxDurationSeconds: run.maxDurationSeconds || undefined,
    tags: run.tags.length > 0 ? run.tags : undefined,
    metadata: payloadValue(run.metadata),
  });
}

/** A payload as text: JSON as it is, no value as nothing, anything else by its type and size, or by the name that the server keeps it under. */
export function payloadText(payload: Payload | undefined): string {
  if (payload?.reference) return `more than 128 KiB, kept as ${payload.reference}`;
  if (payload === undefined || payload.data.length === 0) return "";
  if (isJson(payload)) return Buffer.from(payload.data).toString("utf8");
  return `${payload.data.length} bytes of ${payload.contentType}`;
}

function payloadValue(payload: Payload | undefined): unknown {
  if (payload?.reference) return { contentType: payload.contentType, reference: payload.reference };
  if (payload === undefined || payload.data.length === 0) return undefined;
  if (!isJson(payload)) return { contentType: payload.contentType, base64: Buffer.from(payload.data).toString("base64") };
  try {
    return JSON.parse(Buffer.from(payload.data).toString("utf8"));
  } catch {
    return Buffer.from(payload.data).toString("utf8");
  }
}

function isJson({ contentType }: Payload): boolean {
  return contentType === "" || contentType.startsWith("application/json");
}

function failureToJson(failure: Failure): Record<string, unknown> {
  return withoutEmpty({
    kind: FailureKind[failure.kind],
    name: failure.name,
    message: failure.message,
    stackTrace: failure.stackTrace,
    code: failure.code,
    raw: payloadValue(failure.raw),
    cause: failure.cause && failureToJson(failure.cause),
  });
}

function failureText(failure: Failure): string {
  const trace = failure.stackTrace.split("\n").filter((line) => line.trimStart().startsWith("at "));
  const cause = failure.cause ? [`caused by ${failureText(failure.cause)}`] : [];
  return [failureLine(failure), ...trace, ...cause].join("\n");
}

function progressWords(run: Run): string {
  if (run.state === RunState.EXECUTING && run.retryTime) return `attempt ${run.attemptCount} of ${run.maxAttempts} failed, next at ${isoTime(run.retryTime)}`;
  if (run.state === RunState.EXECUTING) return `attempt ${run.attemptCount} of ${run.maxAttempts}`;
  if (run.failure && run.finishTime) return failureLine(run.failure);
  if (run.finishTime) return `after ${elapsed(run.finishTime, run.createTime)}`;
  return pendingWords[run.pendingReason];
}

function columns(cells: string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(columnWidths[index] ?? 0))
    .join("  ")
    .trimEnd();
}

function isoTime(time: Timestamp | undefined): string | undefined {
  return time && timestampDate(time).toISOString();
}

function withOffset(time: Timestamp | undefined, since: Timestamp | undefined): string {
  if (time === undefined) return "";
  return since === undefined ? timestampDate(time).toISOString() : `${timestampDate(time).toISOString()} (+${elapsed(time, since)})`;
}

function elapsed(time: Timestamp, since: Timestamp | undefined): string {
  const ms = since ? timestampDate(time).getTime() - timestampDate(since).getTime() : 0;
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function withoutEmpty(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== ""));
}
