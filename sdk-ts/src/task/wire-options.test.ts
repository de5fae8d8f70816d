import { expect, test } from "vitest";
import { DebounceMode } from "#gen/runlane/v1/run_pb.js";
import type { TriggerOptions } from "./task-types.js";
import { wireOptions } from "./wire-options.js";

const at = new Date("2031-02-03T04:05:06.789Z");
const until = { case: "delayUntil", value: { seconds: BigInt(Math.floor(at.getTime() / 1_000)), nanos: 789_000_000 } };

test.each<[TriggerOptions, object]>([
  [{ delay: "1h52m18s" }, { delay: { case: "delayFor", value: { seconds: 6_738n } } }],
  [{ delay: "18s1h52m" }, { delay: { case: "delayFor", value: { seconds: 6_738n } } }],
  [{ delay: "2hr" }, { delay: { case: "delayFor", value: { seconds: 7_200n } } }],
  [{ delay: "1w1d" }, { delay: { case: "delayFor", value: { seconds: 691_200n } } }],
  [{ delay: at }, { delay: until }],
  [{ delay: at.toISOString() }, { delay: until }],
  [{ ttl: "10m" }, { ttlSeconds: 600 }],
  [{ ttl: 90 }, { ttlSeconds: 90 }],
  [{ ttl: 0 }, { ttlSeconds: 0 }],
  [{ concurrencyKey: "eu" }, { concurrencyKey: "eu" }],
  [{ concurrencyKey: 42 }, { concurrencyKey: "42" }],
  [{ concurrency: "mail" }, { concurrencyLimits: { names: ["mail"] } }],
  [{ concurrency: ["mail", "eu"] }, { concurrencyLimits: { names: ["mail", "eu"] } }],
  [{ concurrency: [] }, { concurrencyLimits: { names: [] } }],
  [{ priority: 10 }, { prioritySeconds: 10 }],
  [{ priority: -0.5 }, { prioritySeconds: -0.5 }],
  [{ weight: 7 }, { weight: 7 }],
  [{ debounce: { key: "k", delay: "5s" } }, { debounce: { key: "k", delay: { seconds: 5n }, mode: DebounceMode.LEADING } }],
  [{ debounce: { key: "k", delay: "5s", mode: "trailing", maxDelay: "1m" } }, { debounce: { mode: DebounceMode.TRAILING, maxDelay: { seconds: 60n } } }],
  [{ idempotencyKey: "" }, { idempotencyKey: undefined }],
  [{ idempotencyKey: [] }, { idempotencyKey: undefined }],
])("%o travels", (options, wire) => {
  expect({ idempotencyKey: undefined, ...wireOptions(options) }).toMatchObject(wire);
});

test.each<[string, object]>([
  ["trigger: delay is tomorrow", { delay: "tomorrow" }],
  ["trigger: delay is 1.5h", { delay: "1.5h" }],
  ["trigger: delay is Invalid Date", { delay: new Date(Number.NaN) }],
  ["trigger: ttl is -1", { ttl: -1 }],
  ["trigger: ttl is 1.5", { ttl: 1.5 }],
  ['trigger: ttl is "soon"', { ttl: "soon" }],
  ["trigger: priority is NaN", { priority: Number.NaN }],
  ["trigger: priority is 2147484", { priority: 2_147_484 }],
  ["trigger: priority is high", { priority: "high" }],
  ["trigger: weight is 0", { weight: 0 }],
  ["trigger: weight is 1.5", { weight: 1.5 }],
  ["names at most 2 limits", { concurrency: ["a", "b", "c"] }],
  ["the name of a limit has 1 to 128", { concurrency: "a b" }],
  ['trigger: debounce.delay is "2031-01-01"', { debounce: { key: "k", delay: "2031-01-01" } }],
  ["trigger: debounce.mode is last", { debounce: { key: "k", delay: "1s", mode: "last" } }],
  ["trigger: debounce: not yet supported: until", { debounce: { key: "k", delay: "1s", until: 1 } }],
  ['idempotencyKeyTTL is "a while"', { idempotencyKey: "k", idempotencyKeyTTL: "a while" }],
  ["at most 2,048 characters, and this one has 2049", { idempotencyKey: "k".repeat(2_049) }],
  ["not yet supported: region", { region: "eu" }],
])("%s: refused", (message, options) => {
  expect(() => wireOptions(options as TriggerOptions)).toThrow(message);
});
