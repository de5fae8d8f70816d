import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type LimitBound, QueueType, type Queue as WireQueue } from "#gen/runlane/v1/queue_service_pb.js";
import { defaultClient } from "../client/runlane-client.js";
import { throwApiError } from "../errors/api-error.js";
import { listByOffset, type OffsetLimitPagePromise, type OffsetPageOptions } from "../runs/offset-page.js";
import type { QueueTypeName } from "../runs/run-list.js";
import { checkSlots } from "./limit-rules.js";

/** A queue, named as Trigger.dev does: by its id, or by its kind and name; by its full name alone, which is ours. */
export type RetrieveQueueParam = string | QueueTypeName;

/** What holds of a limit, and where it comes from; null means no limit. */
export interface QueueConcurrency {
  /** What holds. */
  current: number | null;
  /** What code declares. */
  base: number | null;
  /** What it was overridden with; null if it was not. */
  override: number | null;
  overriddenAt: Date | null;
  /** Always null: nobody has a name here. */
  overriddenBy: string | null;
}

/** A queue as `queues` shows it. */
export interface QueueItem {
  /** Starts with "queue_". */
  id: string;
  /** Its name; of a task's own queue the task's id. */
  name: string;
  /** "task": the queue that a task has by itself. */
  type: "task" | "custom";
  /** Runs that hold a slot of it. */
  running: number;
  /** Runs in it that wait for their start. */
  queued: number;
  /** Nothing of it starts. */
  paused: boolean;
  /** The limit of each concurrency key that holds; null for none. */
  concurrencyLimit: number | null;
  /** "V1", in Trigger.dev's words: a queue with a limit of its own. */
  version: "V1";
  concurrency: QueueConcurrency;
  /** The limit over all concurrency keys; null for none. Ours. */
  totalConcurrencyLimit: number | null;
  /** Concurrency keys that have runs in it. Ours. */
  keyCount: number;
}

const taskPrefix = "task/";

function list(options: OffsetPageOptions = {}): OffsetLimitPagePromise<QueueItem> {
  const read = async (pageSize: number, pageToken: string) => {
    const { queues: found, nextPageToken, totalCount } = await defaultClient().queues.listQueues({ pageSize, pageToken }).catch(throwApiError);
    return { items: found.map(queueItem), nextPageToken, totalCount };
  };
  return listByOffset("queues.list", options, read);
}

async function retrieve(queue: RetrieveQueueParam): Promise<QueueItem> {
  const { queue: found } = await defaultClient()
    .queues.getQueue({ queue: nameOf(queue) })
    .catch(throwApiError);
  return queueItem(found!);
}

function pause(queue: RetrieveQueueParam): Promise<QueueItem> {
  return update({ queue: nameOf(queue), paused: true });
}

function resume(queue: RetrieveQueueParam): Promise<QueueItem> {
  return update({ queue: nameOf(queue), paused: false });
}

async function overrideConcurrencyLimit(queue: RetrieveQueueParam, concurrencyLimit: number): Promise<QueueItem> {
  checkSlots("queues.overrideConcurrencyLimit: the limit", concurrencyLimit);
  return await update({ queue: nameOf(queue), concurrencyLimit: { change: { case: "override", value: concurrencyLimit } } });
}

function resetConcurrencyLimit(queue: RetrieveQueueParam): Promise<QueueItem> {
  return update({ queue: nameOf(queue), concurrencyLimit: { change: { case: "reset", value: true } } });
}

/** Shows queues, pauses them, and overrides their limits. What is changed holds within a second, and through restarts and new versions of the code, until it is changed again. */
export const queues = {
  /**
   * Lists queues, by name: await it for a page, or iterate with `for await` over all of them.
   *
   * @throws Error for a page that cannot be; ApiError if the server cannot be reached.
   */
  list,
  /** Reads a queue. @throws NotFoundError if there is none; ApiError if the server cannot be reached. */
  retrieve,
  /** Stops starts from a queue; what executes goes on. @throws as `retrieve`. */
  pause,
  /** Lets a paused queue go on. @throws as `retrieve`. */
  resume,
  /** Gives each concurrency key of a queue another limit than its code does, 0 to 100,000. @throws as `retrieve`; Error for a limit that cannot be. */
  overrideConcurrencyLimit,
  /** Gives a queue the limit back that its code declares. @throws as `retrieve`. */
  resetConcurrencyLimit,
};

async function update(request: Parameters<ReturnType<typeof defaultClient>["queues"]["updateQueue"]>[0]): Promise<QueueItem> {
  const { queue: found } = await defaultClient().queues.updateQueue(request).catch(throwApiError);
  return queueItem(found!);
}

function nameOf(queue: RetrieveQueueParam): string {
  if (typeof queue === "string") return queue;
  return queue.type === "task" ? taskPrefix + queue.name : queue.name;
}

function queueItem(queue: WireQueue): QueueItem {
  const type = queue.type === QueueType.TASK ? "task" : "custom";
  const bound = boundItem(queue.concurrencyLimit);
  return {
    id: queue.id,
    name: type === "task" && queue.name.startsWith(taskPrefix) ? queue.name.slice(taskPrefix.length) : queue.name,
    type,
    running: Number(queue.running),
    queued: Number(queue.queued),
    paused: queue.paused,
    concurrencyLimit: bound.current,
    version: "V1",
    concurrency: { ...bound, overriddenBy: null },
    totalConcurrencyLimit: queue.totalLimit ?? null,
    keyCount: Number(queue.keyCount),
  };
}

/** A limit as Trigger.dev shows it. */
export function boundItem(bound: LimitBound | undefined): Omit<QueueConcurrency, "overriddenBy"> {
  return {
    current: bound?.current ?? null,
    base: bound?.base ?? null,
    override: bound?.override ?? null,
    overriddenAt: bound?.overrideTime ? timestampDate(bound.overrideTime) : null,
  };
}
