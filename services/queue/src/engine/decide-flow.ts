import type { UpdateConcurrencyLimitRequest, UpdateEnvironmentRequest, UpdateQueueRequest } from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import type { Environment } from "./environment.js";
import { environmentUpdated, limitUpdated, queueUpdated } from "./events.js";
import type { LimitRecord } from "./limit-record.js";
import type { QueueRecord } from "./queue-record.js";
import { emit, type Step } from "./step.js";

/** How long the override of one key holds unless its request says otherwise: 7 days. */
export const defaultOverrideMs = 7 * 24 * 60 * 60_000;

/** Pauses or resumes a queue, or overrides its limit. */
export function decideUpdateQueue(step: Step, { environment, name }: QueueRecord, { paused, concurrencyLimit }: UpdateQueueRequest): void {
  if (paused === undefined && !concurrencyLimit) return;
  emit(step, queueUpdated(environment.name, name, { ...(paused === undefined ? {} : { paused }), ...(concurrencyLimit ? { concurrencyLimit } : {}) }));
}

/** Pauses, resumes or overrides a limit, or what it is for one key. */
export function decideUpdateLimit(step: Step, environment: Environment, limit: LimitRecord, request: UpdateConcurrencyLimitRequest): void {
  const { paused, perKey, total, concurrencyKey, ttl } = request;
  if (paused === undefined && !perKey && !total) return;
  const ttlMs = ttl ? Number(ttl.seconds) * 1_000 + Math.ceil(ttl.nanos / 1e6) : defaultOverrideMs;
  emit(
    step,
    limitUpdated(environment.name, limit.name, {
      ...(paused === undefined ? {} : { paused }),
      ...(perKey ? { perKey } : {}),
      ...(total ? { total } : {}),
      ...(concurrencyKey === undefined ? {} : { concurrencyKey, expireMs: perKey?.change.case === "override" ? step.now + ttlMs : 0 }),
    }),
  );
}

/** Pauses, resumes or limits an environment. */
export function decideUpdateEnvironment(step: Step, environment: Environment, { paused, concurrencyLimit, burstFactor }: UpdateEnvironmentRequest): void {
  if (paused === undefined && !concurrencyLimit && burstFactor === undefined) return;
  emit(
    step,
    environmentUpdated(environment.name, {
      ...(paused === undefined ? {} : { paused }),
      ...(concurrencyLimit ? { concurrencyLimit } : {}),
      ...(burstFactor === undefined ? {} : { burstFactor }),
    }),
  );
}

/** Ends overrides of single keys whose time is over. */
export function endOverrides(step: Step): void {
  for (const environment of step.durable.environments.values()) {
    const { overrides } = environment.flow;
    for (let entry = overrides.peek(); entry && entry.atMs <= step.now; entry = overrides.peek()) {
      overrides.pop();
      const { limit, key, atMs } = entry;
      if (limit.keyOverrides.get(key)?.expireMs !== atMs) continue;
      const perKey = { $typeName: "runlane.v1.LimitChange", change: { case: "reset", value: true } } as const;
      emit(step, limitUpdated(environment.name, limit.name, { perKey, concurrencyKey: key }));
    }
  }
}

/** When the first of them, or a rate limit, is due, in milliseconds; undefined if none is. */
export function dueOfFlow({ durable }: Pick<Step, "durable">): number | undefined {
  let due = durable.rateDue.peek()?.atMs;
  for (const { flow } of durable.environments.values()) {
    const end = flow.overrides.peek()?.atMs;
    if (end !== undefined) due = due === undefined ? end : Math.min(due, end);
  }
  return due;
}
