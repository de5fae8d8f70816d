import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { IdempotencySetting, RunSettings } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { IdempotencyKey, TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { newTags } from "./tags.js";

/** How long an idempotency key is kept whose trigger does not say: 30 days, as Trigger.dev has it. */
const defaultKeyTtlMs = 30 * 24 * 60 * 60_000;

/** What a run is besides its options. */
export interface RunOrigin {
  /** The run whose code triggers is a test. */
  readonly test: boolean;
  /** Number of the run that it repeats; 0 for none. */
  readonly replayOf: number;
}

/** What most triggers do not ask for; undefined if this one does not. */
export function settingsOf(options: TriggerOptions | undefined, nowMs: number, origin: RunOrigin): RunSettings | undefined {
  const test = origin.test || options?.test === true;
  if (!asksForMore(options) && !test && origin.replayOf === 0) return undefined;
  const { metadata, maxDurationSeconds, ttlSeconds, idempotencyKey, debounce, concurrencyLimits } = options ?? {};
  return {
    $typeName: "runlane.internal.v1.RunSettings",
    tags: newTags([], options?.tags ?? []),
    machine: options?.machine ?? "",
    version: options?.version ?? "",
    delayUntilMs: BigInt(delayUntil(options, nowMs)),
    concurrencyKey: options?.concurrencyKey ?? "",
    priorityMs: BigInt(Math.round((options?.prioritySeconds ?? 0) * 1_000)),
    weight: options?.weight ?? 0,
    test,
    replayOf: BigInt(origin.replayOf),
    ...(metadata ? { metadata } : {}),
    ...(maxDurationSeconds === undefined ? {} : { maxDurationSeconds }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(idempotencyKey ? { idempotency: idempotencySettingOf(idempotencyKey, nowMs) } : {}),
    ...(debounce ? { debounce: { $typeName: "runlane.internal.v1.DebounceSetting", key: debounce.key } } : {}),
    ...(concurrencyLimits ? { concurrencyLimits } : {}),
  };
}

/** A key as the log holds it. */
export function idempotencySettingOf({ key, ttl, displayKey, scope }: IdempotencyKey, nowMs: number): IdempotencySetting {
  const expireMs = BigInt(nowMs + (ttl ? spanMs(ttl) : defaultKeyTtlMs));
  return { $typeName: "runlane.internal.v1.IdempotencySetting", key, expireMs, displayKey, scope };
}

/** A span in milliseconds, rounded up. */
export function spanMs({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + Math.ceil(nanos / 1e6);
}

/** A delay as requests word it. */
export interface Delay {
  readonly delay:
    | { readonly case: "delayFor"; readonly value: Duration }
    | { readonly case: "delayUntil"; readonly value: Timestamp }
    | { readonly case: undefined };
}

/** When a delay has passed, in milliseconds of the Unix epoch, rounded up; 0 if it has passed already, or there is none. */
export function delayEnd({ delay }: Delay, nowMs: number): number {
  if (delay.case === undefined) return 0;
  const at = delay.case === "delayFor" ? nowMs + spanMs(delay.value) : Number(delay.value.seconds) * 1_000 + Math.ceil(delay.value.nanos / 1e6);
  return at > nowMs ? at : 0;
}

/** The longest delay: 366 days. */
const longestDelayMs = 366 * 24 * 60 * 60 * 1_000;

/** Why a delay is too long, in words of the field `delay_until`; undefined if it is not. Whoever checks requests before cannot say: it depends on the time. */
export function delayFault(delay: Delay, nowMs: number): string | undefined {
  return delayEnd(delay, nowMs) > nowMs + longestDelayMs ? "must be at most 366 days from now" : undefined;
}

function delayUntil(options: TriggerOptions | undefined, nowMs: number): number {
  if (!options) return 0;
  return options.debounce?.delay ? nowMs + spanMs(options.debounce.delay) : delayEnd(options, nowMs);
}

function asksForMore(options: TriggerOptions | undefined): boolean {
  return (
    options !== undefined &&
    (options.tags.length > 0 ||
      options.metadata !== undefined ||
      Boolean(options.machine) ||
      options.maxDurationSeconds !== undefined ||
      Boolean(options.version) ||
      options.delay.case !== undefined ||
      options.ttlSeconds !== undefined ||
      options.idempotencyKey !== undefined ||
      options.debounce !== undefined ||
      options.concurrencyKey !== "" ||
      options.prioritySeconds !== 0 ||
      options.weight !== 0 ||
      options.concurrencyLimits !== undefined)
  );
}
