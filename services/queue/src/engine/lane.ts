import { currentOf } from "./bound.js";
import type { QueueRecord } from "./queue-record.js";
import type { ReadyList } from "./ready-list.js";
import type { TokenBucket } from "./token-bucket.js";

/** The runs of a queue that have the same concurrency key, or none: a copy of the queue. Changed by `apply` only. */
export interface Lane {
  readonly queue: QueueRecord;
  /** Empty for the runs without a key. */
  readonly key: string;
  /** Slots held. */
  held: number;
  /** Live runs. One with a key is dropped without any, once its rate limit has forgotten them. */
  members: number;
  /** What is left of the rate limit of each key; undefined: all of it. */
  bucket: TokenBucket | undefined;
  /** Its ready runs, by what they need. An index. */
  lists: readonly ReadyList[];
  /** Its lists are in no line, because it had no slot. An index. */
  shut: boolean;
  /** Those of runs that need to start are in none until then, because of the rate limit; 0: no. An index. */
  rateDueMs: number;
  /** When it is looked at again because of that; 0: not. */
  rateListedMs: number;
  /** The ticket of its last turn. */
  served: number;
}

/** Lanes come by the hundred thousand: an array that grows by pushing has room for 17. */
const none: readonly ReadyList[] = [];

/** A lane without runs. */
export function createLane(queue: QueueRecord, key: string): Lane {
  return { queue, key, held: 0, members: 0, bucket: undefined, lists: none, shut: false, rateDueMs: 0, rateListedMs: 0, served: 0 };
}

/** Whether one more run of this key may execute, as far as the key's own limit goes. */
export function laneIsOpen({ queue, held }: Lane): boolean {
  const most = currentOf(queue.keyLimit);
  return most === undefined || held < most;
}

/** The lane of a key, made if there is none. */
export function laneOf(queue: QueueRecord, key: string): Lane {
  if (key === "") return queue.keyless;
  let lane = queue.lanes.get(key);
  if (!lane) {
    lane = createLane(queue, key);
    queue.lanes.set(key, lane);
  }
  return lane;
}
