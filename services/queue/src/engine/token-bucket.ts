import type { RateLimit } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

/**
 * A rate limit in whole numbers, so that every machine computes the same and nothing drifts: a token is `tokenUnits` units, a millisecond brings `unitsPerMs`.
 */
export interface Rate {
  readonly tokenUnits: number;
  readonly unitsPerMs: number;
  /** Tokens at once. */
  readonly burst: number;
}

/** What is left of a rate limit. */
export interface TokenBucket {
  /** Units at `atMs`; below 0 after the start of a run that weighs more than the burst. */
  units: number;
  atMs: number;
}

/** The rate that a declaration asks for; undefined for none. Periods are counted in whole milliseconds. */
export function rateOf(declared: RateLimit | undefined): Rate | undefined {
  if (!declared || declared.limit === 0) return undefined;
  const periodMs = Number(declared.period?.seconds ?? 0n) * 1_000 + Math.round((declared.period?.nanos ?? 0) / 1e6);
  if (periodMs <= 0) return undefined;
  const shared = commonDivisor(periodMs, declared.limit);
  return { tokenUnits: periodMs / shared, unitsPerMs: declared.limit / shared, burst: declared.burst || declared.limit };
}

/** A full bucket. */
export function createBucket(rate: Rate, nowMs: number): TokenBucket {
  return { units: rate.burst * rate.tokenUnits, atMs: nowMs };
}

/** When a run of this weight may start, in milliseconds; not later than `nowMs` if it may now. What weighs more than the burst needs a full bucket. */
export function dueAt(rate: Rate, bucket: TokenBucket, weight: number): number {
  const missing = Math.min(weight, rate.burst) * rate.tokenUnits - bucket.units;
  return missing <= 0 ? bucket.atMs : bucket.atMs + Math.ceil(missing / rate.unitsPerMs);
}

/** When the bucket is full again. */
export function fullAt(rate: Rate, bucket: TokenBucket): number {
  return dueAt(rate, bucket, rate.burst);
}

/** A run starts, or, with a weight below 0, gives back what its start took. */
export function takeTokens(rate: Rate, bucket: TokenBucket, weight: number, nowMs: number): void {
  const most = rate.burst * rate.tokenUnits;
  const units = Math.min(most, bucket.units + (nowMs - bucket.atMs) * rate.unitsPerMs) - weight * rate.tokenUnits;
  bucket.units = Math.min(most, units);
  bucket.atMs = nowMs;
}

/** Another rate holds from now on: the bucket is as full as it was, in tokens, and not fuller than that rate allows. */
export function convert(bucket: TokenBucket, before: Rate, after: Rate, nowMs: number): void {
  takeTokens(before, bucket, 0, nowMs);
  bucket.units = Math.floor(Math.min(after.burst, bucket.units / before.tokenUnits) * after.tokenUnits);
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
