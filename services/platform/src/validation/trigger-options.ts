import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { DebounceMode, type IdempotencyKey, IdempotencyScope, type TriggerOptions } from "#gen/runlane/v1/run_pb.js";
import { isJsonContent, isJsonText } from "./json-text.js";
import { isName, nameRule } from "./names.js";
import { durationMs, isDurationWithin, isTimestamp, longestDelayMs } from "./times.js";
import type { Violation } from "./violation.js";

/** What the options of one trigger may hold. The protos state each limit beside the field that it binds. */
export const optionLimits = {
  /** Attempts of a run. */
  attempts: 250,
  /** Tags of a run; blank ones do not count. */
  tags: 10,
  /** Characters of a tag. */
  tag: 128,
  /** Bytes of a run's metadata. */
  metadataBytes: 256 * 1024,
  /** Seconds that an attempt may be active, at least, unless it has no limit. */
  leastDurationSeconds: 5,
  /** Seconds of a time to live. */
  ttlSeconds: 31_536_000,
  /** Characters of an idempotency key, hashed or as its author wrote it. */
  idempotencyKey: 2_048,
  /** Milliseconds that an idempotency key is kept at least. */
  leastKeyMs: 1_000,
  /** Characters of a key that collects triggers, and of a concurrency key. */
  key: 512,
  /** Milliseconds by which a trigger postpones the run that collects it, at least. */
  leastDebounceMs: 1_000,
  /** Seconds by which a run counts as older or younger. */
  prioritySeconds: 2_147_483,
  /** What a run takes from a rate limit. */
  weight: 1_000_000,
  /** Named concurrency limits of a run. */
  concurrencyLimits: 2,
} as const;

/** One rule of the options: where it looks, and what it says of options that break it. */
interface OptionRule {
  readonly field: string;
  readonly description: string;
  broken(options: TriggerOptions): boolean;
}

const optionRules: readonly OptionRule[] = [
  { field: "queue", description: nameRule, broken: ({ queue }) => queue !== undefined && !isName(queue) },
  {
    field: "max_attempts",
    description: `must be 1 to ${optionLimits.attempts}`,
    broken: ({ maxAttempts }) => maxAttempts !== undefined && (maxAttempts < 1 || maxAttempts > optionLimits.attempts),
  },
  {
    field: "tags",
    description: `must be at most ${optionLimits.tags}, blank ones left out, of at most ${optionLimits.tag} characters each`,
    broken: ({ tags }) => tags.length > 0 && tagsBroken(tags),
  },
  {
    field: "metadata",
    description: `must be a JSON object of at most ${optionLimits.metadataBytes} bytes, as application/json`,
    broken: ({ metadata }) => metadata !== undefined && metadataBroken(metadata),
  },
  {
    field: "max_duration_seconds",
    description: `must be 0, or ${optionLimits.leastDurationSeconds} or more`,
    broken: ({ maxDurationSeconds }) => maxDurationSeconds !== undefined && isDurationTooShort(maxDurationSeconds),
  },
  {
    field: "delay_for",
    description: "must be 0 to 366 days",
    broken: ({ delay }) => delay.case === "delayFor" && !isDurationWithin(delay.value, 0, longestDelayMs),
  },
  {
    field: "delay_until",
    description: "must be a time of the years 1 to 9999",
    broken: ({ delay }) => delay.case === "delayUntil" && !isTimestamp(delay.value),
  },
  {
    field: "ttl_seconds",
    description: `must be 0 to ${optionLimits.ttlSeconds}`,
    broken: ({ ttlSeconds }) => ttlSeconds !== undefined && ttlSeconds > optionLimits.ttlSeconds,
  },
  {
    field: "debounce",
    description: "must not stand together with a delay: it makes one",
    broken: ({ debounce, delay }) => debounce !== undefined && delay.case !== undefined,
  },
  {
    field: "debounce.key",
    description: `must be 1 to ${optionLimits.key} characters`,
    broken: ({ debounce }) => debounce !== undefined && (debounce.key === "" || debounce.key.length > optionLimits.key),
  },
  {
    field: "debounce.delay",
    description: "must be 1 s to 366 days",
    broken: ({ debounce }) =>
      debounce !== undefined && (debounce.delay === undefined || !isDurationWithin(debounce.delay, optionLimits.leastDebounceMs, longestDelayMs)),
  },
  {
    field: "debounce.mode",
    description: "must be leading or trailing",
    broken: ({ debounce }) => debounce !== undefined && DebounceMode[debounce.mode] === undefined,
  },
  {
    field: "debounce.max_delay",
    description: "must be more than the delay",
    broken: ({ debounce }) => {
      if (debounce?.maxDelay === undefined) return false;
      const most = durationMs(debounce.maxDelay);
      return most === undefined || most <= (debounce.delay ? (durationMs(debounce.delay) ?? 0) : 0);
    },
  },
  {
    field: "concurrency_key",
    description: `must be at most ${optionLimits.key} characters`,
    broken: ({ concurrencyKey }) => concurrencyKey.length > optionLimits.key,
  },
  {
    field: "priority_seconds",
    description: `must be a number of -${optionLimits.prioritySeconds} to ${optionLimits.prioritySeconds}`,
    // Asked this way round: NaN is neither within nor beyond.
    broken: ({ prioritySeconds }) => !(Math.abs(prioritySeconds) <= optionLimits.prioritySeconds),
  },
  { field: "weight", description: `must be at most ${optionLimits.weight}`, broken: ({ weight }) => weight > optionLimits.weight },
  {
    field: "concurrency_limits.names",
    description: `must be at most ${optionLimits.concurrencyLimits} names, each of 1 to 128 characters of letters, digits and "_-./:"`,
    broken: ({ concurrencyLimits }) =>
      concurrencyLimits !== undefined && (concurrencyLimits.names.length > optionLimits.concurrencyLimits || !concurrencyLimits.names.every(isName)),
  },
];

/**
 * The rules that the options of a trigger break; undefined if there are none. Depends on nothing but the options: how far from now a time may be is the owner's to say.
 *
 * @param path where the options stand in the request: `items[3].options`
 */
export function optionFaults(options: TriggerOptions, path: string): Violation[] | undefined {
  let violations: Violation[] | undefined;
  for (const rule of optionRules) {
    if (rule.broken(options)) (violations ??= []).push({ field: `${path}.${rule.field}`, description: rule.description });
  }
  if (!options.idempotencyKey) return violations;
  const ofKey = idempotencyKeyFaults(options.idempotencyKey, `${path}.idempotency_key`);
  return ofKey.length === 0 ? violations : [...(violations ?? []), ...ofKey];
}

/** The rules that an idempotency key breaks, of a run or of a batch. */
export function idempotencyKeyFaults({ key, ttl, displayKey, scope }: IdempotencyKey, path: string): Violation[] {
  const violations: Violation[] = [];
  const add = (name: string, description: string) => void violations.push({ field: `${path}.${name}`, description });
  if (key === "" || key.length > optionLimits.idempotencyKey) add("key", `must be 1 to ${optionLimits.idempotencyKey} characters`);
  if (ttl && !isDurationWithin(ttl, optionLimits.leastKeyMs, longestDelayMs)) add("ttl", "must be 1 s to 366 days");
  if (displayKey.length > optionLimits.idempotencyKey) add("display_key", `must be at most ${optionLimits.idempotencyKey} characters`);
  if (IdempotencyScope[scope] === undefined) add("scope", "must be a scope, or unset");
  return violations;
}

/** Whether a duration is none: not "no limit", and too short to be meant. */
export function isDurationTooShort(seconds: number): boolean {
  return seconds > 0 && seconds < optionLimits.leastDurationSeconds;
}

function tagsBroken(tags: readonly string[]): boolean {
  return tags.some((tag) => tag.length > optionLimits.tag) || tags.filter((tag) => tag.trim() !== "").length > optionLimits.tags;
}

function metadataBroken({ contentType, data, reference }: Payload): boolean {
  // The first byte that is no white space tells an object from every other value.
  return !isJsonContent(contentType) || Boolean(reference) || data.length > optionLimits.metadataBytes || !/^\s*\{/.test(startOf(data)) || !isJsonText(data);
}

function startOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, 1_024)).toString("latin1");
}
