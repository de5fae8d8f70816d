import type { EnvironmentUpdated, LimitUpdated, QueueUpdated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { LimitChange } from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { type Bound, override } from "./bound.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { limitOf } from "./flow.js";
import { queueOf } from "./queue-record.js";
import { reconsider, reconsiderLimit } from "./ready.js";

/** Somebody pauses or resumes a queue, or overrides its limit. */
export function updateQueue(durable: Durable, environment: Environment, { queue: name, paused, concurrencyLimit }: QueueUpdated): void {
  const queue = queueOf(environment, name);
  if (paused !== undefined) queue.paused = paused;
  change(queue.keyLimit, concurrencyLimit, durable.now);
  reconsider(durable, queue);
}

/** Somebody pauses, resumes or overrides a limit; or the override of a key has ended. */
export function updateLimit(durable: Durable, environment: Environment, event: LimitUpdated): void {
  const { flow } = environment;
  const limit = limitOf(flow, event.limit);
  const { concurrencyKey: key } = event;
  if (event.paused !== undefined) limit.paused = event.paused;
  change(limit.total, event.total, durable.now);
  if (key === undefined) {
    change(limit.perKey, event.perKey, durable.now);
  } else if (event.perKey?.change.case === "override") {
    const expireMs = Number(event.expireMs);
    limit.keyOverrides.set(key, { value: event.perKey.change.value, atMs: durable.now, expireMs });
    flow.overrides.push({ atMs: expireMs, limit, key });
  } else if (event.perKey?.change.case === "reset") {
    limit.keyOverrides.delete(key);
  }
  reconsiderLimit(durable, environment, limit);
}

/** Somebody pauses, resumes or limits an environment. */
export function updateEnvironment(durable: Durable, environment: Environment, { paused, concurrencyLimit, burstFactor }: EnvironmentUpdated): void {
  const { flow } = environment;
  if (paused !== undefined) flow.paused = paused;
  if (burstFactor !== undefined) flow.burst = burstFactor;
  if (concurrencyLimit?.change.case === "override") flow.limit = concurrencyLimit.change.value;
  else if (concurrencyLimit?.change.case === "reset") flow.limit = undefined;
  // No queue may have more than the limit.
  for (const queue of environment.queues.values()) if (queue.shut) reconsider(durable, queue);
  durable.eligible.add(environment);
}

function change(bound: Bound, wanted: LimitChange | undefined, nowMs: number): void {
  if (wanted?.change.case === "override") override(bound, wanted.change.value, nowMs);
  else if (wanted?.change.case === "reset") override(bound, undefined, nowMs);
}
