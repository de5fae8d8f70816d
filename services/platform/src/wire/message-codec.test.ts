import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LogRecordSchema } from "#gen/runlane/internal/v1/log_pb.js";
import {
  DeliverFramesRequestSchema,
  NotifyRequestSchema,
  RelayFramesRequestSchema,
  TriggerRunsRequestSchema,
  TriggerRunsResponseSchema,
} from "#gen/runlane/internal/v1/owner_service_pb.js";
import { SnapshotRecordSchema } from "#gen/runlane/internal/v1/snapshot_pb.js";
import { PayloadSchema } from "#gen/runlane/v1/payload_pb.js";
import { TriggerStreamRequestSchema } from "#gen/runlane/v1/run_service_pb.js";
import { WorkRequestSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { arbitraryMessage } from "../testing/arbitrary-message.js";
import { decodeMessage, encodeMessage, handCodecs, readByHand } from "./message-codec.js";
import type { ReadMessage } from "./wire-reader.js";

const all = [...handCodecs].map(([schema, codec]) => ({ name: schema.typeName, schema, codec }));
const written = all.filter(({ codec }) => codec.write);
const read = all.filter(({ codec }) => codec.read);
/** A field that no message has, as a later version might send it. */
const laterField = Buffer.from([0xf2, 0x3f, 2, 1, 2]);

/** Records have many kinds, of which each must come often enough. */
const runsOf = (schema: DescMessage) => runs.get(schema) ?? 100;
const runs = new Map<DescMessage, number>([
  [LogRecordSchema, 4_000],
  [SnapshotRecordSchema, 1_000],
]);

describe("a message that is written by hand", () => {
  test.each(written)("is byte for byte what protobuf-es writes: $name", ({ schema }) => {
    fc.assert(
      fc.property(arbitraryMessage(schema), (message) => {
        expect(hex(encodeMessage(schema, message))).toBe(hex(toBinary(schema, message)));
      }),
      { numRuns: runsOf(schema) },
    );
  });

  test("may be larger than the writer's buffer, and takes no more memory than its bytes", () => {
    const data = new Uint8Array(300_000).fill(7);
    const items = Array.from({ length: 5 }, () => ({ taskId: "é".repeat(100), payload: { data } }));
    const message = create(TriggerRunsRequestSchema, { items });
    const bytes = encodeMessage(TriggerRunsRequestSchema, message);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    expect(Buffer.compare(bytes, toBinary(TriggerRunsRequestSchema, message))).toBe(0);
  });
});

describe("a message that is read by hand", () => {
  test.each(read)("is what protobuf-es reads: $name", ({ schema }) => {
    fc.assert(
      fc.property(arbitraryMessage(schema), (message) => {
        const bytes = toBinary(schema, message);
        expect(decodeMessage(schema, bytes)).toEqual(fromBinary(schema, bytes));
      }),
      { numRuns: runsOf(schema) },
    );
  });

  test.each(read)("may hold fields that this version does not know, and its parts too: $name", ({ schema }) => {
    fc.assert(
      fc.property(withLaterField(schema), (bytes) => {
        expect(decodeMessage(schema, bytes)).toEqual(fromBinary(schema, bytes));
      }),
    );
  });

  test.each(read)("may come twice in the same bytes, which merges: $name", ({ schema }) => {
    fc.assert(
      fc.property(arbitraryMessage(schema), arbitraryMessage(schema), (one, other) => {
        const bytes = joined(toBinary(schema, one), toBinary(schema, other));
        expect(decodeMessage(schema, bytes)).toEqual(fromBinary(schema, bytes));
      }),
    );
  });

  test.each(read)("is refused as protobuf-es refuses it if its bytes are wrong: $name", ({ schema }) => {
    fc.assert(
      fc.property(arbitraryMessage(schema), fc.nat(), fc.nat(255), fc.boolean(), (message, place, byte, cut) => {
        const whole = toBinary(schema, message);
        const at = place % (whole.length + 1);
        const bytes = cut ? whole.slice(0, at) : whole.slice();
        if (!cut && at < bytes.length) bytes[at] = byte;
        expect(outcomeOf(() => decodeMessage(schema, bytes))).toEqual(outcomeOf(() => fromBinary(schema, bytes)));
      }),
      { numRuns: runsOf(schema) },
    );
  });

  test("may stand in the middle of other bytes, and gives views of them", () => {
    const message = create(LogRecordSchema, {
      record: { case: "batch", value: { events: [{ event: { case: "attemptSucceeded", value: { run: 7n, output: { data: Uint8Array.of(1, 2) } } } }] } },
    });
    const bytes = toBinary(LogRecordSchema, message);
    const larger = Buffer.concat([Buffer.alloc(10), bytes, Buffer.alloc(10)]);
    expect(decodeMessage(LogRecordSchema, larger.subarray(10, 10 + bytes.length))).toEqual(message);
  });

  test("may have its lists of numbers packed or not", () => {
    const unpacked = Uint8Array.of(0x20, 5, 0x20, 0x80, 1, 0x22, 2, 7, 8);
    expect(readByHandOf(TriggerRunsRequestSchema, unpacked)?.awaitResults).toEqual([5, 128, 7, 8]);
  });
});

const payload = { contentType: "application/json", data: Buffer.from('{"a":1}'), metadata: { codec: "x" } };
const item = { taskId: "hello", payload, options: { maxAttempts: 3, queue: "q" } };
const idempotency = { key: "k", expireMs: 9n, displayKey: "K", scope: 1 };
const settings = { tags: ["a"], ttlSeconds: 0, idempotency, debounce: { key: "d" }, concurrencyKey: "c", priorityMs: -5n, weight: 2, test: true };
const outcome = { outcome: { case: "runId", value: "run_1" } } as const;
const events = [
  {
    event: {
      case: "runsCreated",
      value: { environment: "dev", requestId: "r", firstNumber: 1n, runs: [{ taskId: "hello", payload, queue: "q", maxAttempts: 3, settings }] },
    },
  },
  { event: { case: "runAssigned", value: { run: 1n, session: 2n, attempt: 1, nonce: 2n ** 63n } } },
  { event: { case: "runsAccepted", value: { runs: [1n, 2n] } } },
  { event: { case: "attemptSucceeded", value: { run: 1n, output: payload } } },
] as const;

test.each([
  ["TriggerStreamRequest", TriggerStreamRequestSchema, { frame: { case: "trigger", value: { requestId: "r", items: [item], awaitResults: [0] } } }],
  ["TriggerRunsRequest", TriggerRunsRequestSchema, { environment: "dev", requestId: "r", items: [item], awaitResults: [0], subscriber: "s" }],
  ["TriggerRunsResponse", TriggerRunsResponseSchema, { outcomes: [outcome] }],
  ["RelayFramesRequest", RelayFramesRequestSchema, { executor: "e", frames: [{ streamId: "s", sequence: 1n, environment: "dev", frame: Buffer.of(1) }] }],
  ["DeliverFramesRequest", DeliverFramesRequestSchema, { epoch: 1n, frames: [{ streamId: "s", sequence: 1n, frame: Buffer.of(1) }] }],
  ["NotifyRequest", NotifyRequestSchema, { epoch: 1n, results: [{ runId: "run_1", taskId: "hello", state: 6, output: payload }] }],
  ["WorkRequest", WorkRequestSchema, { accepted: [Buffer.alloc(28)], results: [{ token: Buffer.alloc(28), outcome: { case: "output", value: payload } }] }],
  ["WorkRequest with a heartbeat", WorkRequestSchema, { heartbeat: { sequence: 1n, assignmentSequence: 2n, heldCount: 3, heldDigest: 4n } }],
  ["SnapshotRecord", SnapshotRecordSchema, { record: { case: "run", value: { run: 1n, task: 1, phase: 1, maxAttempts: 3, createMs: 5n, payload } } }],
  ["SnapshotRecord of a run of a key", SnapshotRecordSchema, { record: { case: "run", value: { run: 1n, more: { settings, batch: 7n, orderMs: 9n } } } }],
  ["LogRecord", LogRecordSchema, { record: { case: "batch", value: { epoch: 1n, number: 2n, nowMs: 3n, events } } }],
] as [string, DescMessage, object][])("what every run passes through is not left to protobuf-es: %s", (_, schema, init) => {
  const bytes = toBinary(schema, create(schema, init as never));
  expect(readByHandOf(schema, bytes)).toEqual(fromBinary(schema, bytes));
});

test("a payload's text keeps a byte order mark, and is refused if it is not UTF-8", () => {
  const message = create(TriggerRunsRequestSchema, { requestId: "\u{feff}é", items: [{ payload: create(PayloadSchema, { contentType: "\u{feff}" }) }] });
  const bytes = encodeMessage(TriggerRunsRequestSchema, message);
  expect(decodeMessage(TriggerRunsRequestSchema, bytes)).toEqual(message);
  expect(() => decodeMessage(TriggerRunsRequestSchema, Uint8Array.of(0x12, 1, 0xff))).toThrow();
});

function readByHandOf<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  const byHand = handCodecs.get(schema)?.read;
  return byHand && readByHand(byHand as ReadMessage<MessageShape<D>>, bytes);
}

/** Bytes of a message with an unknown field at its end, in itself or in one of its length-delimited fields. */
function withLaterField(schema: DescMessage): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(arbitraryMessage(schema), fc.constantFrom(...schema.fields.filter((field) => field.message).map((field) => field.number), 0))
    .map(([message, field]) => {
      const inner = field === 0 ? laterField : Buffer.of(...varint(field * 8 + 2), laterField.length, ...laterField);
      return joined(toBinary(schema, message), inner);
    });
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function outcomeOf(decode: () => unknown): unknown {
  try {
    return decode();
  } catch {
    return "refused";
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
