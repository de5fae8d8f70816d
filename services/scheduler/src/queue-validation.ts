import { isDurationWithin, isName, nameRule, optionLimits, type Violation } from "@runlane/platform";
import type {
  LimitChange,
  UpdateConcurrencyLimitRequest,
  UpdateEnvironmentRequest,
  UpdateQueueRequest,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { limits } from "./limits.js";

/** The rules that a change of a queue breaks, its name aside. */
export function queueChangeFaults({ concurrencyLimit }: UpdateQueueRequest): Violation[] {
  return changeFaults(concurrencyLimit, "concurrency_limit");
}

/** The rules that the name of a concurrency limit breaks, and the key that it is asked for. */
export function limitNameFaults(name: string, concurrencyKey: string | undefined): Violation[] {
  const violations: Violation[] = isName(name) ? [] : [{ field: "name", description: nameRule }];
  if (concurrencyKey !== undefined && (concurrencyKey === "" || concurrencyKey.length > optionLimits.key)) {
    violations.push({ field: "concurrency_key", description: `must be 1 to ${optionLimits.key} characters` });
  }
  return violations;
}

/** The rules that a change of a concurrency limit breaks. */
export function limitChangeFaults({ name, concurrencyKey, paused, perKey, total, ttl }: UpdateConcurrencyLimitRequest): Violation[] {
  const violations = limitNameFaults(name, concurrencyKey);
  violations.push(...changeFaults(perKey, "per_key"), ...changeFaults(total, "total"));
  const ofOneKey = concurrencyKey !== undefined;
  if (ofOneKey && paused !== undefined)
    violations.push({ field: "paused", description: "must not stand together with a concurrency key: only the whole limit is paused" });
  if (ofOneKey && total) violations.push({ field: "total", description: "must not stand together with a concurrency key: it is the limit over all keys" });
  if (ttl && !ofOneKey) violations.push({ field: "ttl", description: "must stand only together with a concurrency key" });
  if (ttl && !isDurationWithin(ttl, limits.leastOverrideMs, limits.longestOverrideMs)) violations.push({ field: "ttl", description: "must be 1 s to 30 days" });
  return violations;
}

/** The rules that a change of an environment breaks. */
export function environmentChangeFaults({ concurrencyLimit, burstFactor }: UpdateEnvironmentRequest): Violation[] {
  const violations = changeFaults(concurrencyLimit, "concurrency_limit");
  // Asked this way round: NaN is neither within nor beyond.
  if (burstFactor !== undefined && !(burstFactor >= 1 && burstFactor <= limits.burstFactor)) {
    violations.push({ field: "burst_factor", description: `must be 1 to ${limits.burstFactor}` });
  }
  return violations;
}

function changeFaults(change: LimitChange | undefined, field: string): Violation[] {
  if (change === undefined) return [];
  if (change.change.case === undefined) return [{ field, description: "must say override or reset" }];
  if (change.change.case === "reset" || change.change.value <= limits.slots) return [];
  return [{ field: `${field}.override`, description: `must be 0 to ${limits.slots}` }];
}
