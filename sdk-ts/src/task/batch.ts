import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BatchState, type Batch as WireBatch } from "#gen/runlane/v1/run_service_pb.js";
import { defaultClient } from "../client/runlane-client.js";
import { throwApiError } from "../errors/api-error.js";
import { type RegisteredTask, taskRegistry } from "../runtime/task-registry.js";
import type { BatchEntry, BatchSource } from "./batch-source.js";
import { type EntryOf, triggerBatch, triggerBatchAndWait } from "./batch-trigger.js";
import type {
  BatchByIdAndWaitItem,
  BatchByIdHandle,
  BatchByIdItem,
  BatchByIdResult,
  BatchByTaskAndWaitItem,
  BatchByTaskHandle,
  BatchByTaskItem,
  BatchByTaskResult,
} from "./batch-types.js";
import type { AnyTask, BatchTriggerAndWaitOptions, BatchTriggerOptions, TriggerOptions } from "./task-types.js";

/** Where a batch stands: "PENDING" while items may come, "PROCESSING" until all its runs are final, "ABORTED" if not all of its items came within 30 minutes. */
export type BatchStatus = "PENDING" | "PROCESSING" | "COMPLETED" | "PARTIAL_FAILED" | "ABORTED" | "UNKNOWN";

/** An item of a batch that could not be triggered. */
export interface BatchItemError {
  index: number;
  taskIdentifier: string;
  error: string;
  /** Stable reason; docs/errors.md explains each. */
  errorCode?: string;
}

/** A batch as `batch.retrieve` shows it. */
export interface RetrievedBatch {
  id: string;
  status: BatchStatus;
  /** As its author wrote it. */
  idempotencyKey?: string;
  createdAt: Date;
  updatedAt: Date;
  runCount: number;
  /** Ids of its runs, in the order of the items. */
  runs: string[];
  /** Runs that are COMPLETED. */
  successfulRunCount: number;
  /** Runs that are final in another way. */
  failedRunCount: number;
  /** Items that could not be triggered; their runs are failed ones. */
  errors: BatchItemError[];
  /** The same, where Trigger.dev has it. */
  processing: { completedAt?: Date; errors: BatchItemError[] };
}

interface ById {
  readonly id: string;
  readonly payload: unknown;
  readonly options?: TriggerOptions;
}

interface ByTask {
  readonly task: { readonly id: string };
  readonly payload: unknown;
  readonly options?: TriggerOptions;
}

function trigger<TTask extends AnyTask>(items: BatchSource<BatchByIdItem<TTask>>, options?: BatchTriggerOptions): Promise<BatchByIdHandle<TTask>> {
  return triggerBatch(items as BatchSource<ById>, byId(), options) as Promise<BatchByIdHandle<TTask>>;
}

function triggerAndWait<TTask extends AnyTask>(
  items: BatchSource<BatchByIdAndWaitItem<TTask>>,
  options?: BatchTriggerAndWaitOptions,
): Promise<BatchByIdResult<TTask>> {
  return triggerBatchAndWait(items as BatchSource<ById>, byId(), options) as Promise<BatchByIdResult<TTask>>;
}

function triggerByTask<const TTasks extends readonly AnyTask[]>(
  items:
    | { readonly [K in keyof TTasks]: BatchByTaskItem<TTasks[K]> }
    | AsyncIterable<BatchByTaskItem<TTasks[number]>>
    | ReadableStream<BatchByTaskItem<TTasks[number]>>,
  options?: BatchTriggerOptions,
): Promise<BatchByTaskHandle<TTasks>> {
  return triggerBatch(items as BatchSource<ByTask>, byTask(), options) as unknown as Promise<BatchByTaskHandle<TTasks>>;
}

function triggerByTaskAndWait<const TTasks extends readonly AnyTask[]>(
  items:
    | { readonly [K in keyof TTasks]: BatchByTaskAndWaitItem<TTasks[K]> }
    | AsyncIterable<BatchByTaskAndWaitItem<TTasks[number]>>
    | ReadableStream<BatchByTaskAndWaitItem<TTasks[number]>>,
  options?: BatchTriggerAndWaitOptions,
): Promise<BatchByTaskResult<TTasks>> {
  return triggerBatchAndWait(items as BatchSource<ByTask>, byTask(), options) as unknown as Promise<BatchByTaskResult<TTasks>>;
}

async function retrieve(batchId: string): Promise<RetrievedBatch> {
  const { batch: found } = await defaultClient().runs.getBatch({ batchId }).catch(throwApiError);
  return retrievedBatch(found!);
}

/** Triggers runs of several tasks as one batch, and reads batches. What is said of a task's `batchTrigger` holds for all of them. */
export const batch = {
  /** Triggers a run for each item, of the task whose id it has: `batch.trigger<typeof a | typeof b>([{ id: "a", payload }, …])`. @throws as a task's `batchTrigger`. */
  trigger,
  /** The same, and waits for all. @throws as a task's `batchTriggerAndWait`. */
  triggerAndWait,
  /** Triggers a run for each item, of the task that it has: `batch.triggerByTask([{ task: a, payload }, …])`. @throws as a task's `batchTrigger`. */
  triggerByTask,
  /** The same, and waits for all. @throws as a task's `batchTriggerAndWait`. */
  triggerByTaskAndWait,
  /**
   * Reads a batch as it stands. It is known until seven days after its end.
   *
   * @throws NotFoundError if there is none; ApiError if the server cannot be reached.
   */
  retrieve,
};

function byId(): EntryOf<ById> {
  const entryOf = knownTasks();
  return ({ id, payload, options }) => entryOf(id, payload, options);
}

function byTask(): EntryOf<ByTask> {
  const entryOf = knownTasks();
  return ({ task, payload, options }) => entryOf(task.id, payload, options);
}

/** Makes entries; payloads of tasks that this process has loaded are checked, as in Trigger.dev. */
function knownTasks(): (taskId: string, payload: unknown, options: TriggerOptions | undefined) => BatchEntry {
  const known = new Map<string, RegisteredTask>(taskRegistry().tasks.map((task) => [task.id, task]));
  return (taskId, payload, options) => {
    const parse = known.get(taskId)?.parsePayload;
    return { taskId, payload, options, check: parse && (async (value) => parse(value)) };
  };
}

function retrievedBatch(found: WireBatch): RetrievedBatch {
  const errors = found.errors.map(
    ({ index, taskId, reason, message }): BatchItemError => ({ index, taskIdentifier: taskId, error: message, ...(reason ? { errorCode: reason } : {}) }),
  );
  const updatedAt = found.updateTime ? timestampDate(found.updateTime) : new Date(0);
  const status = statusOf(found.state);
  const ended = status === "COMPLETED" || status === "PARTIAL_FAILED" || status === "ABORTED";
  return {
    id: found.id,
    status,
    ...(found.idempotencyKey ? { idempotencyKey: found.idempotencyKey } : {}),
    createdAt: found.createTime ? timestampDate(found.createTime) : new Date(0),
    updatedAt,
    runCount: found.runIds.length,
    runs: [...found.runIds],
    successfulRunCount: found.successfulRunCount,
    failedRunCount: found.failedRunCount,
    errors,
    processing: { ...(ended ? { completedAt: updatedAt } : {}), errors },
  };
}

function statusOf(state: BatchState): BatchStatus {
  return state === BatchState.UNSPECIFIED ? "UNKNOWN" : ((BatchState[state] as BatchStatus | undefined) ?? "UNKNOWN");
}
