import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { reasonOf } from "@runlane/platform";
import { BadRequestSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import type { HelloSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { expect, test } from "vitest";
import { checkHello, holdsHello } from "./hello.js";
import { heartbeat, hello, request } from "./testing/frames.js";

const seconds = (count: number) => ({ seconds: BigInt(count) });
const sound = { protocolRevision: 1, workerId: "w1", incarnation: 1n, slots: 1 };

function faultOf(frame: Uint8Array) {
  try {
    checkHello(frame);
    return undefined;
  } catch (error) {
    const failure = ConnectError.from(error);
    return { reason: reasonOf(failure), fields: failure.findDetails(BadRequestSchema).flatMap((details) => details.fieldViolations.map(({ field }) => field)) };
  }
}

test("a frame with a Hello is known by its first byte", () => {
  expect(holdsHello(hello)).toBe(true);
  expect(holdsHello(request({ hello: {} }))).toBe(true);
  for (const frame of [heartbeat(1), request({ accepted: [Buffer.alloc(8)] }), request({ drain: {} }), new Uint8Array()]) expect(holdsHello(frame)).toBe(false);
});

test("a sound Hello passes", () => {
  expect(faultOf(hello)).toBeUndefined();
  const concurrency = { perKey: 0, total: 100_000, limits: ["mail", "eu.mail"] };
  const tasks = [
    { id: "a", queue: "q", concurrencyLimit: 0, maxAttempts: 250, ttlSeconds: 0 },
    { id: "b", concurrency },
  ];
  const rate = { limit: 1_000_000, period: { nanos: 100_000_000 }, burst: 1 };
  const queues = [{ name: "q", concurrencyLimit: 0, totalLimit: 100_000, rateLimit: rate, keyRateLimit: { limit: 1, period: seconds(86_400) } }];
  const concurrencyLimits = [{ name: "mail" }];
  expect(faultOf(request({ hello: { ...sound, tasks, queues, concurrencyLimits, held: [{ token: Buffer.alloc(8), openWaits: [1] }] } }))).toBeUndefined();
});

test.each<[string[], MessageInitShape<typeof HelloSchema>]>([
  [["hello.protocol_revision"], { protocolRevision: 0 }],
  [["hello.worker_id"], { workerId: "" }],
  [["hello.worker_id"], { workerId: "w".repeat(129) }],
  [["hello.slots"], { slots: 0 }],
  [["hello.build_id"], { buildId: "b".repeat(129) }],
  [["hello.held"], { held: [{ token: Buffer.alloc(7) }] }],
  [["hello.tasks[1].id"], { tasks: [{ id: "a" }, { id: "b c" }] }],
  [["hello.tasks[1].id"], { tasks: [{ id: "a" }, { id: "a" }] }],
  [["hello.tasks[0].queue", "hello.tasks[0].max_attempts"], { tasks: [{ id: "a", queue: "?", maxAttempts: 0 }] }],
  [["hello.tasks[0].concurrency_limit"], { tasks: [{ id: "a", concurrencyLimit: 100_001 }] }],
  [["hello.tasks[0].payload_schema"], { tasks: [{ id: "a", payloadSchema: "{{" }] }],
  [["hello.tasks[0].payload_schema"], { tasks: [{ id: "a", payloadSchema: JSON.stringify("x".repeat(65_536)) }] }],
  [["hello.tasks[0].ttl_seconds"], { tasks: [{ id: "a", ttlSeconds: 31_536_001 }] }],
  [
    ["hello.tasks[0].concurrency.per_key", "hello.tasks[0].concurrency.limits"],
    { tasks: [{ id: "a", concurrency: { perKey: 100_001, limits: ["a", "b", "c"] } }] },
  ],
  [
    ["hello.tasks[0].concurrency.total", "hello.tasks[0].concurrency.limits"],
    { tasks: [{ id: "a", concurrency: { total: 4_294_967_295, limits: ["no name"] } }] },
  ],
  [["hello.queues[0].name"], { queues: [{ name: "" }] }],
  [["hello.queues[1].name"], { queues: [{ name: "a" }, { name: "a" }] }],
  [["hello.queues[0].concurrency_limit", "hello.queues[0].total_limit"], { queues: [{ name: "a", concurrencyLimit: 100_001, totalLimit: 100_001 }] }],
  [["hello.queues[0].rate_limit"], { queues: [{ name: "a", rateLimit: { limit: 0, period: seconds(1) } }] }],
  [["hello.queues[0].rate_limit"], { queues: [{ name: "a", rateLimit: { limit: 1 } }] }],
  [["hello.queues[0].key_rate_limit"], { queues: [{ name: "a", keyRateLimit: { limit: 1, period: { nanos: 99_999_999 } } }] }],
  [["hello.queues[0].key_rate_limit"], { queues: [{ name: "a", keyRateLimit: { limit: 1, period: seconds(367 * 86_400) } }] }],
  [["hello.queues[0].rate_limit"], { queues: [{ name: "a", rateLimit: { limit: 1, period: seconds(1), burst: 1_000_001 } }] }],
  [["hello.concurrency_limits[0].name"], { concurrencyLimits: [{ name: "task/a" }] }],
  [["hello.concurrency_limits[0].per_key", "hello.concurrency_limits[0].total"], { concurrencyLimits: [{ name: "a", perKey: 100_001, total: 100_001 }] }],
  [["hello.queues"], { queues: Array.from({ length: 10_001 }, (_, i) => ({ name: `q${i}` })) }],
  [["hello.queues"], { queues: Array.from({ length: 5_000 }, (_, i) => ({ name: `${"q".repeat(100)}${i}` })) }],
  [["hello.tasks"], { tasks: Array.from({ length: 10_001 }, (_, i) => ({ id: `t${i}` })) }],
])("a Hello that breaks the rule of %j is refused", (fields, wrong) => {
  expect(faultOf(request({ hello: { ...sound, ...wrong } }))).toEqual({ reason: "INVALID_FIELD", fields });
});

test("a Hello is alone in its frame", () => {
  expect(faultOf(request({ hello: sound, heartbeat: { sequence: 1n } }))?.fields).toEqual(["hello"]);
});

test("what is no WorkRequest, or has no Hello, is MALFORMED_FRAME", () => {
  for (const frame of [Buffer.from([0x0a, 0x7f]), heartbeat(1), new Uint8Array()]) expect(faultOf(frame)).toEqual({ reason: "MALFORMED_FRAME", fields: [] });
});
