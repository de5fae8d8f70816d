import type { QueueDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { type Bound, createBound } from "./bound.js";
import type { Environment } from "./environment.js";
import { createLane, type Lane } from "./lane.js";
import type { Line } from "./line.js";
import type { Rate, TokenBucket } from "./token-bucket.js";

/** A queue of an environment: how many of its runs may execute at once, and who is next. Changed by `apply` only. */
export class QueueRecord {
  readonly environment: Environment;
  readonly name: string;
  /** Somebody has declared it, or it belongs to a known task. Nothing starts in a queue that only triggers have named. */
  known: boolean;
  /** As a worker has declared it by itself; undefined: only tasks name it. */
  declaration: QueueDeclaration | undefined = undefined;
  /** The version whose worker did so last. */
  version = "";
  paused = false;
  /** Limit of each concurrency key. */
  readonly keyLimit: Bound = createBound();
  /** Limit over all keys; undefined: none. */
  totalLimit: number | undefined = undefined;
  /** Rate limit of the whole queue, and what is left of it (undefined: all). */
  rate: Rate | undefined = undefined;
  bucket: TokenBucket | undefined = undefined;
  /** Rate limit of each key. */
  keyRate: Rate | undefined = undefined;
  /** Slots held: the number of its runs whose phase holds one. */
  held = 0;
  /** Runs that wait for their start. */
  queued = 0;
  /** Runs without a concurrency key. A field, because most queues have no others. */
  readonly keyless: Lane = createLane(this, "");
  /** Runs with one. */
  readonly lanes: Map<string, Lane> = new Map();
  /** How many of these have live runs. */
  keyCount = 0;
  /** Ready runs by what they need. An index. */
  readonly lines: Map<string, Line> = new Map();
  /** Its lines wait nowhere, because it had no slot, is paused or unknown. An index. */
  shut = false;
  /** Those of runs that need to start wait nowhere until then, because of the rate limit; 0: no. An index. */
  rateDueMs = 0;
  /** When it is looked at again because of that; 0: not. */
  rateListedMs = 0;
  /** The ticket of its last turn. */
  served = 0;

  constructor(environment: Environment, name: string, known: boolean) {
    this.environment = environment;
    this.name = name;
    this.known = known;
  }
}

/** The queue of this name, made if there is none. */
export function queueOf(environment: Environment, name: string): QueueRecord {
  let queue = environment.queues.get(name);
  if (!queue) {
    queue = new QueueRecord(environment, name, name.startsWith(taskPrefix) && environment.tasks.has(name.slice(taskPrefix.length)));
    environment.queues.set(name, queue);
  }
  return queue;
}

/** What the names of tasks' own queues and limits begin with. */
export const taskPrefix = "task/";

/** Whether one more run may execute, as far as the queue as a whole goes: it may never have more slots than the environment's limit without its burst. */
export function queueIsOpen({ environment, known, paused, totalLimit, held }: QueueRecord): boolean {
  if (!known || paused) return false;
  const { limit } = environment.flow;
  return (totalLimit === undefined || held < totalLimit) && (limit === undefined || held < limit);
}
