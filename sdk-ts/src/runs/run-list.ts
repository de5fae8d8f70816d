import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import type { ListRunsRequest, RunFilterSchema } from "#gen/runlane/v1/run_service_pb.js";
import { periodMs } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import type { RetrievedRun, RunStatus } from "./run-object.js";

/** A queue by its kind and name, as in Trigger.dev. */
export interface QueueTypeName {
  /** "task": the queue that a task has by itself, named like the task. "custom": one with a name of its own. */
  type: "task" | "custom";
  name: string;
}

/** Which runs `runs.list` shows, and how many on a page. All conditions must hold; of a list, one is enough. */
export interface ListRunsOptions {
  /** Runs on a page, 1 to 100. Default 25. */
  limit?: number;
  /** Older runs than this: the id of a run, or `pagination.next` of a page. */
  after?: string;
  /** Newer runs than this: the id of a run, or `pagination.previous` of a page. */
  before?: string;
  status?: Exclude<RunStatus, "UNKNOWN"> | Exclude<RunStatus, "UNKNOWN">[];
  taskIdentifier?: string | string[];
  /** Version of the code, for instance "20261123.1". */
  version?: string | string[];
  /** The queue: as Trigger.dev names it, or by its full name, which is ours. */
  queue?: QueueTypeName | string | (QueueTypeName | string)[];
  /** Runs with one of these tags. */
  tag?: string | string[];
  /** Runs of this batch, or of one of these. */
  batch?: string | string[];
  /** Only tests, or only runs that are none. */
  isTest?: boolean;
  /** Triggered at this time or later: a Date, or milliseconds of the Unix epoch. */
  from?: Date | number;
  /** Triggered at this time or earlier. */
  to?: Date | number;
  /** Triggered within this time until now: "30m", "7d", "1h30m". */
  period?: string;
}

/** A run as `runs.list` shows it: without payload and output. */
export type ListedRun = Omit<RetrievedRun<unknown, unknown>, "payload" | "output">;

type ListRequest = Partial<Pick<ListRunsRequest, "pageSize" | "pageToken" | "afterRunId" | "beforeRunId">> & {
  filter?: MessageInitShape<typeof RunFilterSchema>;
};

const known = ["limit", "after", "before", "status", "taskIdentifier", "version", "queue", "tag", "batch", "isTest", "from", "to", "period"];
/** Tells a page's token from the id of a run. */
const tokenPrefix = "page_";

/** The request for a first page. @throws Error for an option that has no effect yet, or a period that is none. */
export function listRequest(options: ListRunsOptions = {}, now = Date.now()): ListRequest {
  refuseUnsupported("runs.list", options, known);
  const { after, before, limit, from, to, period } = options;
  const fromMs = period === undefined ? from && Number(from) : now - periodMs(period);
  const request: ListRequest = {
    filter: {
      states: listOf(options.status).map((status) => stateOf(status)),
      taskIds: listOf(options.taskIdentifier),
      versions: listOf(options.version),
      queues: listOf(options.queue).map((queue) => (typeof queue === "string" ? queue : queue.type === "task" ? `task/${queue.name}` : queue.name)),
      tags: listOf(options.tag),
      batchIds: listOf(options.batch),
      test: options.isTest,
      createTimeFrom: fromMs === undefined ? undefined : timestampFromMs(fromMs),
      createTimeTo: to === undefined ? undefined : timestampFromMs(Number(to)),
    },
    pageSize: limit ?? 0,
  };
  if (after !== undefined) return { ...request, ...placeOf(after, "afterRunId") };
  if (before !== undefined) return { ...request, ...placeOf(before, "beforeRunId") };
  return request;
}

/** The request for another page of the same list. */
export function pageRequest(request: ListRequest, token: string): ListRequest {
  return { ...request, afterRunId: "", beforeRunId: "", ...placeOf(token, "afterRunId") };
}

/** A token of the server as `pagination` shows it; undefined if there is no such page. */
export function shownToken(token: string): string | undefined {
  return token === "" ? undefined : `${tokenPrefix}${token}`;
}

function placeOf(text: string, field: "afterRunId" | "beforeRunId"): ListRequest {
  return text.startsWith(tokenPrefix) ? { pageToken: text.slice(tokenPrefix.length) } : { [field]: text };
}

function stateOf(status: string): RunState {
  const state = RunState[status as keyof typeof RunState];
  if (typeof state !== "number") throw new Error(`runs.list: "${status}" is no status of a run`);
  return state;
}

function listOf<T>(value: T | readonly T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? [...value] : [value as T];
}
