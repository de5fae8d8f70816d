import type {
  SnapshotBucket,
  SnapshotEnvironment,
  SnapshotLimit,
  SnapshotOverride,
  SnapshotQueue,
} from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import type { Bound } from "../engine/bound.js";
import type { Environment } from "../engine/environment.js";
import type { Flow } from "../engine/flow.js";
import { createLimit, type LimitRecord } from "../engine/limit-record.js";
import { QueueRecord } from "../engine/queue-record.js";
import { rateOf, type TokenBucket } from "../engine/token-bucket.js";

/** What a snapshot says of an environment's limit. */
export function flowFacts({ paused, limit, burst }: Flow): Pick<SnapshotEnvironment, "paused" | "limit" | "burst"> {
  return { paused, burst, ...(limit !== undefined && { limit }) };
}

/** Takes the limit of an environment that a snapshot says. */
export function takeFlow(flow: Flow, { paused, limit, burst }: SnapshotEnvironment): void {
  flow.paused = paused;
  flow.limit = limit;
  // Snapshots of before there were limits say nothing of a burst.
  flow.burst = burst || 1;
}

/** What a snapshot says of a queue. */
export function queueFacts(queue: QueueRecord, environment: number): SnapshotQueue {
  const { name, known, declaration, version, paused, keyLimit, bucket, keyless } = queue;
  const facts: SnapshotQueue = { $typeName: "runlane.internal.v1.SnapshotQueue", environment, name, known, version, paused };
  if (keyLimit.base !== undefined) facts.limit = keyLimit.base;
  const override = overrideFacts(keyLimit);
  if (override) facts.override = override;
  if (declaration) facts.declaration = declaration;
  if (bucket) facts.bucket = bucketFacts(bucket);
  if (keyless.bucket) facts.keylessBucket = bucketFacts(keyless.bucket);
  return facts;
}

/** The queue that a snapshot says. */
export function queueOfFacts(environment: Environment, facts: SnapshotQueue): QueueRecord {
  const { declaration } = facts;
  const queue = new QueueRecord(environment, facts.name, facts.known);
  queue.declaration = declaration;
  queue.version = facts.version;
  queue.paused = facts.paused;
  takeBound(queue.keyLimit, facts.limit, facts.override);
  queue.totalLimit = declaration?.totalLimit;
  queue.rate = rateOf(declaration?.rateLimit);
  queue.keyRate = rateOf(declaration?.keyRateLimit);
  queue.bucket = bucketOf(facts.bucket);
  queue.keyless.bucket = bucketOf(facts.keylessBucket);
  return queue;
}

/** What a snapshot says of a limit. */
export function limitFacts(limit: LimitRecord, environment: number): SnapshotLimit {
  const { name, declared, named, version, paused, perKey, total, keyOverrides } = limit;
  const keys = [...keyOverrides].map(([key, { value, atMs, expireMs }]) => override(value, atMs, key, expireMs));
  const facts: SnapshotLimit = { $typeName: "runlane.internal.v1.SnapshotLimit", environment, name, declared, named, version, paused, keys };
  if (perKey.base !== undefined) facts.perKey = perKey.base;
  if (total.base !== undefined) facts.total = total.base;
  const [perKeyOverride, totalOverride] = [overrideFacts(perKey), overrideFacts(total)];
  if (perKeyOverride) facts.perKeyOverride = perKeyOverride;
  if (totalOverride) facts.totalOverride = totalOverride;
  return facts;
}

/** The limit that a snapshot says. */
export function limitOfFacts(facts: SnapshotLimit): LimitRecord {
  const limit = createLimit(facts.name);
  limit.declared = facts.declared;
  limit.named = facts.named;
  limit.version = facts.version;
  limit.paused = facts.paused;
  takeBound(limit.perKey, facts.perKey, facts.perKeyOverride);
  takeBound(limit.total, facts.total, facts.totalOverride);
  for (const { key, value, atMs, expireMs } of facts.keys) limit.keyOverrides.set(key, { value, atMs: Number(atMs), expireMs: Number(expireMs) });
  return limit;
}

/** What a snapshot says of what is left of a rate limit. */
export function bucketFacts({ units, atMs }: TokenBucket): SnapshotBucket {
  return { $typeName: "runlane.internal.v1.SnapshotBucket", units: BigInt(units), atMs: BigInt(atMs) };
}

/** What is left of a rate limit, as a snapshot says it. */
export function bucketOf(facts: SnapshotBucket | undefined): TokenBucket | undefined {
  return facts && { units: Number(facts.units), atMs: Number(facts.atMs) };
}

function overrideFacts(bound: Bound): SnapshotOverride | undefined {
  return bound.override === undefined ? undefined : override(bound.override, bound.overrideMs);
}

function override(value: number, atMs: number, key = "", expireMs = 0): SnapshotOverride {
  return { $typeName: "runlane.internal.v1.SnapshotOverride", value, atMs: BigInt(atMs), key, expireMs: BigInt(expireMs) };
}

function takeBound(bound: Bound, base: number | undefined, facts: SnapshotOverride | undefined): void {
  bound.base = base;
  bound.override = facts?.value;
  bound.overrideMs = Number(facts?.atMs ?? 0n);
}
