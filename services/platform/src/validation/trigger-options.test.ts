import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TriggerOptionsSchema } from "#gen/runlane/v1/run_pb.js";
import { optionFaults } from "./trigger-options.js";

type Options = MessageInitShape<typeof TriggerOptionsSchema>;
const day = 86_400n;
const seconds = (count: bigint | number, nanos = 0) => ({ seconds: BigInt(count), nanos });
const delayFor = (value: object): Options => ({ delay: { case: "delayFor", value } });
const delayUntil = (value: object): Options => ({ delay: { case: "delayUntil", value } });
const metadata = (text: string) => ({ data: Buffer.from(text) });
const faultsOf = (options: Options) => optionFaults(create(TriggerOptionsSchema, options), "o")?.map(({ field }) => field);

test.each<Options>([
  {},
  delayFor({}),
  delayFor(seconds(366n * day)),
  delayUntil(seconds(0)),
  delayUntil(seconds(-1)),
  { ttlSeconds: 0 },
  { ttlSeconds: 31_536_000 },
  { idempotencyKey: { key: "k" } },
  { idempotencyKey: { key: "k".repeat(2_048), ttl: seconds(366n * day), displayKey: "k".repeat(2_048), scope: 3 } },
  { debounce: { key: "k", delay: seconds(1) } },
  { debounce: { key: "k".repeat(512), delay: seconds(366n * day), mode: 2, maxDelay: seconds(366n * day, 1_000_000) } },
  { concurrencyKey: "k".repeat(512) },
  { prioritySeconds: 2_147_483 },
  { prioritySeconds: -2_147_483 },
  { prioritySeconds: 0.001 },
  { weight: 1_000_000 },
  { test: true },
  { concurrencyLimits: {} },
  { concurrencyLimits: { names: ["a", "task/b"] } },
  { tags: [...Array(10).fill("t"), " "] },
  { metadata: metadata(`{"a":"${"x".repeat(262_144 - 8)}"}`) },
])("options may be as the contract allows, %#", (options) => {
  expect(faultsOf(options)).toBeUndefined();
});

test.each<[string[], Options]>([
  [["o.queue"], { queue: "" }],
  [["o.queue"], { queue: "a b" }],
  [["o.max_attempts"], { maxAttempts: 251 }],
  [["o.tags"], { tags: Array(11).fill("t") }],
  [["o.tags"], { tags: ["t".repeat(129)] }],
  [["o.metadata"], { metadata: metadata("[]") }],
  [["o.metadata"], { metadata: metadata(`{"a":"${"x".repeat(262_144 - 7)}"}`) }],
  [["o.max_duration_seconds"], { maxDurationSeconds: 4 }],
  [["o.delay_for"], delayFor(seconds(-1))],
  [["o.delay_for"], delayFor(seconds(0, -1_000_000))],
  [["o.delay_for"], delayFor(seconds(366n * day, 1_000_000))],
  [["o.delay_for"], delayFor(seconds(1, -1))],
  [["o.delay_until"], delayUntil(seconds(253_402_300_800n))],
  [["o.delay_until"], delayUntil(seconds(0, 1_000_000_000))],
  [["o.ttl_seconds"], { ttlSeconds: 31_536_001 }],
  [["o.idempotency_key.key"], { idempotencyKey: {} }],
  [["o.idempotency_key.key"], { idempotencyKey: { key: "k".repeat(2_049) } }],
  [["o.idempotency_key.ttl"], { idempotencyKey: { key: "k", ttl: seconds(0, 999_000_000) } }],
  [["o.idempotency_key.ttl"], { idempotencyKey: { key: "k", ttl: seconds(367n * day) } }],
  [["o.idempotency_key.display_key"], { idempotencyKey: { key: "k", displayKey: "k".repeat(2_049) } }],
  [["o.idempotency_key.scope"], { idempotencyKey: { key: "k", scope: 7 as never } }],
  [["o.debounce.key"], { debounce: { delay: seconds(1) } }],
  [["o.debounce.key"], { debounce: { key: "k".repeat(513), delay: seconds(1) } }],
  [["o.debounce.delay"], { debounce: { key: "k" } }],
  [["o.debounce.delay"], { debounce: { key: "k", delay: seconds(0, 999_000_000) } }],
  [["o.debounce.delay"], { debounce: { key: "k", delay: seconds(367n * day) } }],
  [["o.debounce.mode"], { debounce: { key: "k", delay: seconds(1), mode: 7 as never } }],
  [["o.debounce.max_delay"], { debounce: { key: "k", delay: seconds(10), maxDelay: seconds(10) } }],
  [["o.debounce.max_delay"], { debounce: { key: "k", delay: seconds(10), maxDelay: seconds(9) } }],
  [["o.debounce"], { debounce: { key: "k", delay: seconds(1) }, delay: { case: "delayFor", value: seconds(1) } }],
  [["o.concurrency_key"], { concurrencyKey: "k".repeat(513) }],
  [["o.priority_seconds"], { prioritySeconds: Number.NaN }],
  [["o.priority_seconds"], { prioritySeconds: Number.POSITIVE_INFINITY }],
  [["o.priority_seconds"], { prioritySeconds: 2_147_483.5 }],
  [["o.priority_seconds"], { prioritySeconds: -2_147_484 }],
  [["o.weight"], { weight: 1_000_001 }],
  [["o.concurrency_limits.names"], { concurrencyLimits: { names: ["a", "b", "c"] } }],
  [["o.concurrency_limits.names"], { concurrencyLimits: { names: ["a b"] } }],
])("the field at fault is named: %j", (fields, options) => {
  expect(faultsOf(options)).toEqual(fields);
});

test("options hear of all their broken rules at once", () => {
  expect(faultsOf({ prioritySeconds: Number.NaN, weight: 2_000_000, idempotencyKey: {} })).toEqual(["o.priority_seconds", "o.weight", "o.idempotency_key.key"]);
});
