import type { Debounce, TriggerOptions as WireOptions } from "#gen/runlane/v1/run_pb.js";
import { DebounceMode } from "#gen/runlane/v1/run_pb.js";
import { type KeyMaterial, wireKey } from "../idempotency/idempotency-key.js";
import { presetOf } from "../machine/machine-option.js";
import { metadataPayload } from "../metadata/metadata-value.js";
import { limitNames } from "../queues/concurrency-limit.js";
import { maxTags, tagList } from "../tags/tag-list.js";
import { delayOption, periodOption, secondsOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { maxDurationSeconds } from "./max-duration.js";
import type { DebounceOptions, TriggerOptions } from "./task-types.js";

const supportedOptions: Record<keyof TriggerOptions, true> = {
  maxAttempts: true,
  queue: true,
  tags: true,
  metadata: true,
  version: true,
  machine: true,
  maxDuration: true,
  delay: true,
  ttl: true,
  idempotencyKey: true,
  idempotencyKeyTTL: true,
  debounce: true,
  concurrencyKey: true,
  concurrency: true,
  priority: true,
  weight: true,
};
const supportedNames = Object.keys(supportedOptions);
/** Seconds by which a run may count as older or younger. */
const mostPriority = 2_147_483;
const mostWeight = 1_000_000;

/** What a trigger gets that does not say it itself. */
export interface TriggerDefaults {
  /** From the environment; see `defaultVersion`. */
  readonly version?: string | undefined;
  /** From the batch, for an item of one. */
  readonly idempotencyKey?: KeyMaterial | undefined;
  /** From the batch, for an item of one. */
  readonly idempotencyKeyTTL?: string | undefined;
}

/**
 * The options of a trigger, as contracts have them.
 *
 * @throws Error for an option that is not supported, or that breaks its rule.
 */
export function wireOptions(options: TriggerOptions, defaults?: TriggerDefaults): WireOptions {
  refuseUnsupported("trigger", options, supportedNames);
  const wire: WireOptions = {
    $typeName: "runlane.v1.TriggerOptions",
    tags: [],
    delay: { case: undefined },
    concurrencyKey: "",
    prioritySeconds: 0,
    weight: 0,
    test: false,
  };
  if (options.maxAttempts !== undefined) {
    if (!Number.isInteger(options.maxAttempts)) throw new RangeError(`maxAttempts is ${options.maxAttempts}, and must be a whole number`);
    wire.maxAttempts = Math.max(1, options.maxAttempts);
  }
  if (options.queue !== undefined) {
    if (typeof options.queue !== "string")
      throw new TypeError("queue: a trigger takes the name of a queue; its limit is set where the queue or the task is defined");
    wire.queue = options.queue;
  }
  if (options.tags !== undefined) wire.tags = triggerTags(options.tags);
  if (options.metadata !== undefined) wire.metadata = metadataPayload("trigger: metadata", options.metadata);
  const version = options.version ?? defaults?.version;
  if (version !== undefined) wire.version = version;
  if (options.machine !== undefined) wire.machine = presetOf("trigger: machine", options.machine);
  if (options.maxDuration !== undefined) wire.maxDurationSeconds = maxDurationSeconds("trigger", options.maxDuration);
  if (options.delay !== undefined) wire.delay = delayOption("trigger: delay", options.delay);
  if (options.ttl !== undefined) wire.ttlSeconds = secondsOption("trigger: ttl", options.ttl);
  if (options.debounce !== undefined) wire.debounce = wireDebounce(options.debounce);
  if (options.concurrencyKey !== undefined) wire.concurrencyKey = String(options.concurrencyKey);
  if (options.concurrency !== undefined)
    wire.concurrencyLimits = { $typeName: "runlane.v1.ConcurrencyLimitNames", names: limitNames("trigger", options.concurrency) };
  if (options.priority !== undefined) wire.prioritySeconds = priorityOf(options.priority);
  if (options.weight !== undefined) wire.weight = weightOf(options.weight);
  const key = options.idempotencyKey ?? defaults?.idempotencyKey;
  if (key !== undefined) {
    const made = wireKey("trigger", key, options.idempotencyKeyTTL ?? defaults?.idempotencyKeyTTL);
    if (made) wire.idempotencyKey = made;
  }
  return wire;
}

function wireDebounce(options: DebounceOptions): Debounce {
  refuseUnsupported("trigger: debounce", options, ["key", "delay", "mode", "maxDelay"] satisfies (keyof DebounceOptions)[]);
  const { key, delay, mode, maxDelay } = options;
  if (typeof key !== "string") throw new TypeError("trigger: debounce.key must be a text");
  if (mode !== undefined && mode !== "leading" && mode !== "trailing")
    throw new TypeError(`trigger: debounce.mode is ${String(mode)}, and must be "leading" or "trailing"`);
  const wire: Debounce = {
    $typeName: "runlane.v1.Debounce",
    key,
    delay: periodOption("trigger: debounce.delay", delay),
    mode: mode === "trailing" ? DebounceMode.TRAILING : DebounceMode.LEADING,
  };
  if (maxDelay !== undefined) wire.maxDelay = periodOption("trigger: debounce.maxDelay", maxDelay);
  return wire;
}

function priorityOf(priority: number): number {
  if (typeof priority !== "number" || !(Math.abs(priority) <= mostPriority)) {
    throw new RangeError(`trigger: priority is ${String(priority)}, and must be seconds from -${mostPriority} to ${mostPriority}`);
  }
  return priority;
}

function weightOf(weight: number): number {
  if (!Number.isInteger(weight) || weight < 1 || weight > mostWeight) {
    throw new RangeError(`trigger: weight is ${String(weight)}, and must be a whole number from 1 to ${mostWeight}`);
  }
  return weight;
}

function triggerTags(given: string | readonly string[]): string[] {
  const tags = tagList("trigger", given);
  if (tags.length > maxTags) throw new Error(`trigger: a run has at most ${maxTags} tags, and here are ${tags.length}`);
  return tags;
}
