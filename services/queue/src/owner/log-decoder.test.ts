import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeRecord } from "./log-decoder.js";

const big = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n });
const small = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const text = fc.oneof(fc.constantFrom("", "dev", "hello", "application/json"), fc.string({ unit: "grapheme", maxLength: 12 }));
const payload = fc.record(
  {
    contentType: text,
    data: fc.uint8Array({ maxLength: 40 }),
    metadata: fc.dictionary(
      fc.string({ maxLength: 5 }).filter((key) => key !== "__proto__"),
      text,
      { maxKeys: 2 },
    ),
    reference: text,
  },
  { requiredKeys: ["contentType", "data"] },
);
const newRun = fc.record({ taskId: text, payload, queue: text, maxAttempts: small }, { requiredKeys: ["taskId"] });
const refused = fc.record({ index: small, refusal: fc.record({ reason: text, message: text }) });
const event = fc.oneof(
  fc.record({
    case: fc.constant("runsCreated" as const),
    value: fc.record({
      environment: text,
      requestId: text,
      firstNumber: big,
      runs: fc.array(newRun, { maxLength: 4 }),
      refused: fc.array(refused, { maxLength: 1 }),
      parent: big,
      commandId: small,
    }),
  }),
  fc.record({
    case: fc.constant("runAssigned" as const),
    value: fc.record({ run: big, session: big, attempt: small, nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  }),
  fc.record({ case: fc.constant("runsAccepted" as const), value: fc.record({ runs: fc.array(big, { maxLength: 5 }) }) }),
  fc.record({ case: fc.constant("attemptSucceeded" as const), value: fc.record({ run: big, output: payload }, { requiredKeys: ["run"] }) }),
  fc.record({
    case: fc.constant("attemptFailed" as const),
    value: fc.record({ run: big, failure: fc.record({ message: text }), retryAtMs: big }, { requiredKeys: ["run"] }),
  }),
  fc.record({
    case: fc.constantFrom("payloadStored" as const, "payloadDropped" as const),
    value: fc.record({ environment: text, reference: text, sizeBytes: big }),
  }),
  fc.record({ case: fc.constant("sessionEnded" as const), value: fc.record({ session: big }) }),
);

it("reads what protobuf-es writes as protobuf-es reads it", () => {
  fc.assert(
    fc.property(fc.record({ epoch: big, number: big, nowMs: big, events: fc.array(event, { maxLength: 8 }) }), ({ epoch, number, nowMs, events }) => {
      const record = create(LogRecordSchema, { record: { case: "batch", value: { epoch, number, nowMs, events: events.map((one) => ({ event: one })) } } });
      const bytes = toBinary(LogRecordSchema, record);
      expect(decodeRecord(bytes)).toEqual(fromBinary(LogRecordSchema, bytes));
    }),
    { numRuns: 1_000 },
  );
});

it("reads records of a view into a larger buffer, and other kinds of records", () => {
  const epoch = create(LogRecordSchema, { record: { case: "epochStarted", value: { owner: "node", nonce: "n", timeMs: 7n } } });
  const bytes = toBinary(LogRecordSchema, epoch);
  const larger = new Uint8Array(bytes.length + 20);
  larger.set(bytes, 10);
  expect(decodeRecord(larger.subarray(10, 10 + bytes.length))).toEqual(fromBinary(LogRecordSchema, bytes));
});

it("throws at records that are cut off", () => {
  const record = create(LogRecordSchema, {
    record: { case: "batch", value: { epoch: 300n, number: 1n, nowMs: 5n, events: [{ event: { case: "sessionEnded", value: { session: 9n } } }] } },
  });
  const bytes = toBinary(LogRecordSchema, record);
  for (let length = 1; length < bytes.length; length++) expect(() => decodeRecord(bytes.subarray(0, length))).toThrow();
});
