import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ConcurrencyLimit,
  type ConcurrencyLimitKey,
  type Environment as EnvironmentMessage,
  type LimitBound,
  type Queue,
  QueueType,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { type Bound, currentOf } from "./bound.js";
import type { Environment } from "./environment.js";
import { keyLimitOf, type LimitRecord } from "./limit-record.js";
import { type QueueRecord, taskPrefix } from "./queue-record.js";

/** A queue as the API shows it. Its id is made of its name by whoever answers. */
export function queueMessageOf(queue: QueueRecord): Queue {
  const { name, held, queued, paused, keyLimit, totalLimit, declaration, keyCount } = queue;
  return {
    $typeName: "runlane.v1.Queue",
    id: "",
    name,
    type: name.startsWith(taskPrefix) ? QueueType.TASK : QueueType.CUSTOM,
    running: BigInt(held),
    queued: BigInt(queued),
    paused,
    concurrencyLimit: boundMessageOf(keyLimit),
    keyCount: BigInt(keyCount),
    ...(totalLimit !== undefined && { totalLimit }),
    ...(declaration?.rateLimit && { rateLimit: declaration.rateLimit }),
    ...(declaration?.keyRateLimit && { keyRateLimit: declaration.keyRateLimit }),
  };
}

/** A limit as the API shows it. */
export function limitMessageOf({ name, perKey, total, held, queued, paused }: LimitRecord): ConcurrencyLimit {
  return {
    $typeName: "runlane.v1.ConcurrencyLimit",
    name,
    perKey: boundMessageOf(perKey),
    total: boundMessageOf(total),
    running: BigInt(held),
    queued: BigInt(queued),
    paused,
  };
}

/** What a limit is for one concurrency key, as the API shows it. */
export function limitKeyMessageOf(limit: LimitRecord, key: string): ConcurrencyLimitKey {
  const override = limit.keyOverrides.get(key);
  const slots = limit.slots.get(key);
  const current = keyLimitOf(limit, key);
  const base = currentOf(limit.perKey);
  return {
    $typeName: "runlane.v1.ConcurrencyLimitKey",
    name: limit.name,
    concurrencyKey: key,
    perKey: {
      $typeName: "runlane.v1.LimitBound",
      ...(current !== undefined && { current }),
      ...(base !== undefined && { base }),
      ...(override && { override: override.value, overrideTime: timestampFromMs(override.atMs) }),
    },
    ...(override && { expireTime: timestampFromMs(override.expireMs) }),
    running: BigInt(slots?.held ?? 0),
    queued: BigInt(slots?.queued ?? 0),
  };
}

/** An environment as the API shows it. Costs as much as it has queues. */
export function environmentMessageOf({ name, flow, queues }: Environment): EnvironmentMessage {
  let queued = 0;
  for (const queue of queues.values()) queued += queue.queued;
  return {
    $typeName: "runlane.v1.Environment",
    name,
    paused: flow.paused,
    ...(flow.limit !== undefined && { concurrencyLimit: flow.limit }),
    burstFactor: flow.burst,
    running: BigInt(flow.held),
    queued: BigInt(queued),
  };
}

function boundMessageOf(bound: Bound): LimitBound {
  const { base, override, overrideMs } = bound;
  const current = currentOf(bound);
  return {
    $typeName: "runlane.v1.LimitBound",
    ...(current !== undefined && { current }),
    ...(base !== undefined && { base }),
    ...(override !== undefined && { override, overrideTime: timestampFromMs(overrideMs) }),
  };
}
