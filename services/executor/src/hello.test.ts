import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { reasonOf } from "@runlane/platform";
import { BadRequestSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import type { HelloSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { expect, test } from "vitest";
import { checkHello, holdsHello } from "./hello.js";
import { heartbeat, hello, request } from "./testing/frames.js";

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
  const tasks = [{ id: "a", queue: "q", concurrencyLimit: 0, maxAttempts: 250 }, { id: "b" }];
  expect(faultOf(request({ hello: { ...sound, tasks, held: [{ token: Buffer.alloc(8), openWaits: [1] }] } }))).toBeUndefined();
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
