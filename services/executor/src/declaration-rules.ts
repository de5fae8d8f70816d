import { isDurationTooShort, isDurationWithin, isName, longestDelayMs, nameRule, optionLimits } from "@runlane/platform";
import type { ConcurrencyLimitDeclaration, QueueDeclaration, RateLimit, TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

/** A rule of a message: where it looks, and what it says of one that breaks it. */
export interface Rule<T> {
  readonly field: string;
  readonly description: string;
  broken(message: T): boolean;
}

const mostSlots = 100_000;
const mostStarts = 1_000_000;
const leastPeriodMs = 100;

/** Whether a number that is set lies outside. */
export const outside = (value: number | undefined, least: number, most: number) => value !== undefined && (value < least || value > most);

const limitRule = `must be 0 to ${mostSlots}`;
const rateRule = `must have a limit of 1 to ${mostStarts}, a period of 100 ms to 366 days, and a burst of 1 to ${mostStarts} or 0 for the limit`;

/** What a task that a worker declares must be. */
export const taskRules: readonly Rule<TaskDeclaration>[] = [
  { field: "id", description: nameRule, broken: (task) => !isName(task.id) },
  { field: "description", description: "must be at most 1000 characters", broken: (task) => task.description.length > 1_000 },
  { field: "queue", description: `${nameRule}, or empty`, broken: (task) => task.queue !== "" && !isName(task.queue) },
  { field: "concurrency_limit", description: limitRule, broken: (task) => outside(task.concurrencyLimit, 0, mostSlots) },
  { field: "max_attempts", description: "must be 1 to 250", broken: (task) => outside(task.maxAttempts, 1, 250) },
  { field: "max_duration_seconds", description: "must be 0, or 5 or more", broken: (task) => isDurationTooShort(task.maxDurationSeconds) },
  { field: "payload_schema", description: "must be JSON text of at most 64 KiB, or empty", broken: (task) => !isSchema(task.payloadSchema) },
  { field: "concurrency.per_key", description: limitRule, broken: ({ concurrency }) => outside(concurrency?.perKey, 0, mostSlots) },
  { field: "concurrency.total", description: limitRule, broken: ({ concurrency }) => outside(concurrency?.total, 0, mostSlots) },
  {
    field: "concurrency.limits",
    description: `must be at most ${optionLimits.concurrencyLimits} names, each of 1 to 128 characters of letters, digits and "_-./:"`,
    broken: ({ concurrency }) => concurrency !== undefined && (concurrency.limits.length > optionLimits.concurrencyLimits || !concurrency.limits.every(isName)),
  },
  {
    field: "ttl_seconds",
    description: `must be 0 to ${optionLimits.ttlSeconds}`,
    broken: (task) => outside(task.ttlSeconds, 0, optionLimits.ttlSeconds),
  },
];

/** What a queue that a worker declares must be. */
export const queueRules: readonly Rule<QueueDeclaration>[] = [
  { field: "name", description: nameRule, broken: (queue) => !isName(queue.name) },
  { field: "concurrency_limit", description: limitRule, broken: (queue) => outside(queue.concurrencyLimit, 0, mostSlots) },
  { field: "total_limit", description: limitRule, broken: (queue) => outside(queue.totalLimit, 0, mostSlots) },
  { field: "rate_limit", description: rateRule, broken: ({ rateLimit }) => isRateBroken(rateLimit) },
  { field: "key_rate_limit", description: rateRule, broken: ({ keyRateLimit }) => isRateBroken(keyRateLimit) },
];

/** What a concurrency limit that a worker declares must be. */
export const limitRules: readonly Rule<ConcurrencyLimitDeclaration>[] = [
  {
    field: "name",
    description: `${nameRule}, and not begin with "task/"`,
    broken: ({ name }) => !isName(name) || name.startsWith("task/"),
  },
  { field: "per_key", description: limitRule, broken: (limit) => outside(limit.perKey, 0, mostSlots) },
  { field: "total", description: limitRule, broken: (limit) => outside(limit.total, 0, mostSlots) },
];

/** Whoever lists tasks takes each schema for JSON: one that is none would spoil the list of all. */
function isSchema(text: string): boolean {
  if (text === "") return true;
  if (Buffer.byteLength(text) > 64 * 1024) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isRateBroken(rate: RateLimit | undefined): boolean {
  if (rate === undefined) return false;
  if (rate.limit < 1 || rate.limit > mostStarts || rate.burst > mostStarts) return true;
  return rate.period === undefined || !isDurationWithin(rate.period, leastPeriodMs, longestDelayMs);
}
