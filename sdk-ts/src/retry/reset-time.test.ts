import { expect, test } from "vitest";
import { type ResetFormat, resetTime } from "./reset-time.js";

const now = Date.UTC(2026, 10, 23, 10);

test.each<[ResetFormat, string, number | undefined]>([
  ["unix_timestamp", "1795428000", 1_795_428_000_000],
  ["unix_timestamp", "soon", undefined],
  ["unix_timestamp_in_ms", "1795428000123", 1_795_428_000_123],
  ["unix_timestamp_in_ms", "", undefined],
  ["iso_8601", "2026-11-23T10:00:05Z", now + 5_000],
  ["iso_8601", "tomorrow", undefined],
  ["iso_8601_duration_openai_variant", "1s", now + 1_000],
  ["iso_8601_duration_openai_variant", "350ms", now + 350],
  ["iso_8601_duration_openai_variant", "6m0s", now + 360_000],
  ["iso_8601_duration_openai_variant", "1d2h3m4.5s", now + (((24 + 2) * 60 + 3) * 60 + 4.5) * 1_000],
  ["iso_8601_duration_openai_variant", "PT5S", undefined],
  ["iso_8601_duration_openai_variant", "", undefined],
])("%s %j", (format, text, time) => {
  expect(resetTime(text, format, now)).toBe(time);
});
