import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** The longest time that anything may be put off: 366 days, in milliseconds. */
export const longestDelayMs = 366 * 24 * 60 * 60 * 1_000;

const longestDurationSeconds = 315_576_000_000n;
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;

/** Milliseconds of a duration, with their fraction; undefined if it is not a duration as google.protobuf.Duration describes it. */
export function durationMs({ seconds, nanos }: Duration): number | undefined {
  if (seconds > longestDurationSeconds || seconds < -longestDurationSeconds || Math.abs(nanos) > 999_999_999) return undefined;
  if ((seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)) return undefined;
  return Number(seconds) * 1_000 + nanos / 1_000_000;
}

/** Whether a duration is one, and within bounds, in milliseconds. */
export function isDurationWithin(duration: Duration, leastMs: number, mostMs: number): boolean {
  const ms = durationMs(duration);
  return ms !== undefined && ms >= leastMs && ms <= mostMs;
}

/** Whether a time is one as google.protobuf.Timestamp describes it: of the years 1 to 9999. */
export function isTimestamp({ seconds, nanos }: Timestamp): boolean {
  return seconds >= firstSecond && seconds <= lastSecond && nanos >= 0 && nanos <= 999_999_999;
}
