import type { QueuesDeclared, TasksDeclared } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { ConcurrencyLimitDeclaration, QueueDeclaration, TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Durable } from "./durable.js";
import { type Environment, machineOf, queueNameOf, type TaskRecord } from "./environment.js";
import { limitOf } from "./flow.js";
import type { LimitRecord } from "./limit-record.js";
import { rest } from "./membership.js";
import { type QueueRecord, queueOf, taskPrefix } from "./queue-record.js";
import { reconsider, reconsiderLimit } from "./ready.js";
import { convert, type Rate, rateOf, type TokenBucket } from "./token-bucket.js";
import { followDeclaration } from "./transitions.js";

/** Takes what a worker declares of tasks. */
export function declareTasks(durable: Durable, environment: Environment, event: TasksDeclared): void {
  const bases = new Map<QueueRecord, number | undefined>();
  for (const declaration of event.tasks) {
    const before = environment.tasks.get(declaration.id);
    const limits = declareOwnLimit(durable, environment, declaration, event.version);
    const after: TaskRecord = { declaration, version: event.version, limits };
    environment.tasks.set(declaration.id, after);
    know(durable, environment.queues.get(`${taskPrefix}${declaration.id}`));
    const queue = queueOf(environment, queueNameOf(declaration.id, after));
    know(durable, queue);
    const from = queueOf(environment, queueNameOf(declaration.id, before));
    const moved = from !== queue || machineOf(before) !== machineOf(after) || !sameLimits(before?.limits, limits);
    if (moved) followDeclaration(durable, environment, declaration.id, from);
    // Tasks that share a queue need not all repeat its limit.
    bases.set(queue, declaration.concurrencyLimit ?? bases.get(queue));
  }
  for (const [queue, base] of bases) {
    if (queue.declaration) continue;
    queue.keyLimit.base = base;
    reconsider(durable, queue);
  }
}

/** Takes what a worker declares of queues and limits; each is wholly as told, overrides aside. */
export function declareQueues(durable: Durable, environment: Environment, event: QueuesDeclared): void {
  for (const declaration of event.queues) declareQueue(durable, queueOf(environment, declaration.name), declaration, event.version);
  for (const declaration of event.limits) declareLimit(durable, environment, declaration, event.version);
}

function declareQueue(durable: Durable, queue: QueueRecord, declaration: QueueDeclaration, version: string): void {
  queue.declaration = declaration;
  queue.version = version;
  queue.keyLimit.base = declaration.concurrencyLimit;
  queue.totalLimit = declaration.totalLimit;
  const rate = rateOf(declaration.rateLimit);
  queue.bucket = converted(queue.bucket, queue.rate, rate, durable.now);
  queue.rate = rate;
  const keyRate = rateOf(declaration.keyRateLimit);
  const lanes = [queue.keyless, ...queue.lanes.values()];
  for (const lane of lanes) lane.bucket = converted(lane.bucket, queue.keyRate, keyRate, durable.now);
  queue.keyRate = keyRate;
  for (const lane of lanes) if (lane.members === 0 && lane.key !== "") rest(durable, lane);
  know(durable, queue);
  reconsider(durable, queue);
}

function declareLimit(durable: Durable, environment: Environment, { name, perKey, total }: ConcurrencyLimitDeclaration, version: string): LimitRecord {
  const limit = limitOf(environment.flow, name);
  limit.declared = true;
  limit.version = version;
  limit.perKey.base = perKey;
  limit.total.base = total;
  reconsiderLimit(durable, environment, limit);
  return limit;
}

/** The limits that a task's runs hold. Its own one stays as it is known when the task has none any more, but limits nothing: somebody may have overridden it. */
function declareOwnLimit(durable: Durable, environment: Environment, { id, concurrency }: TaskDeclaration, version: string): LimitRecord[] | undefined {
  const name = `${taskPrefix}${id}`;
  const { flow } = environment;
  const has = concurrency?.perKey !== undefined || concurrency?.total !== undefined;
  const limits = new Set<LimitRecord>();
  if (has || flow.limits.get(name)?.declared) {
    const own: ConcurrencyLimitDeclaration = { $typeName: "runlane.v1.ConcurrencyLimitDeclaration", name };
    if (concurrency?.perKey !== undefined) own.perKey = concurrency.perKey;
    if (concurrency?.total !== undefined) own.total = concurrency.total;
    limits.add(declareLimit(durable, environment, own, version));
  }
  for (const shared of concurrency?.limits ?? []) {
    const limit = limitOf(flow, shared);
    limit.named = true;
    limits.add(limit);
  }
  return limits.size === 0 ? undefined : [...limits];
}

function know(durable: Durable, queue: QueueRecord | undefined): void {
  if (!queue || queue.known) return;
  queue.known = true;
  reconsider(durable, queue);
}

/** A bucket under another rate; undefined: full, which a bucket is as well that had no rate before. */
function converted(bucket: TokenBucket | undefined, before: Rate | undefined, after: Rate | undefined, nowMs: number): TokenBucket | undefined {
  if (!bucket || !before || !after) return undefined;
  convert(bucket, before, after, nowMs);
  return bucket;
}

function sameLimits(a: readonly LimitRecord[] | undefined, b: readonly LimitRecord[] | undefined): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((limit, i) => limit === b[i]);
}
