import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RunnerRequestSchema, RunnerResponseSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import { AssignmentSchema, AttemptResultSchema, WorkResponseSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { FieldCursor } from "../wire/field-cursor.js";
import { appendFields } from "../wire/field-writer.js";
import { readRunnerFrame, readServerFrame } from "./passing-frames.js";
import { tokenKey } from "./token-key.js";

// What the hand codec reads and writes is what protobuf-es reads and writes.

const token = fc.uint8Array({ minLength: 8, maxLength: 32 });
const maybe = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
const payload = fc.record({
  contentType: fc.constantFrom("", "application/json"),
  data: fc.uint8Array({ maxLength: 300 }),
  metadata: fc.constantFrom<Record<string, string>>({}, { codec: "x" }),
});
const assignment = fc.record({
  token,
  sequence: fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) }),
  runId: fc.string(),
  taskId: fc.string({ unit: "grapheme" }),
  attemptNumber: fc.nat(),
  payload: fc.option(payload, { nil: undefined }),
  createTimeMs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ownProcess: fc.boolean(),
});
const result = fc.record({ token, outcome: fc.record({ case: fc.constant("output" as const), value: payload }) });

const workResponse = fc
  .record({
    welcome: fc.option(fc.record({ sessionId: fc.string(), version: fc.string() }), { nil: undefined }),
    assignments: fc.array(assignment, { maxLength: 5 }),
    receipts: fc.array(fc.record({ token, disposition: fc.constantFrom(1, 2) }), { maxLength: 5 }),
    resumes: maybe(fc.record({ token, waitId: fc.nat(), more: fc.boolean() })),
    cancels: maybe(fc.record({ token, reason: fc.string() })),
    heartbeat: fc.option(fc.record({ sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), listHeld: fc.boolean() }), { nil: undefined }),
    lost: maybe(token),
    helloAgain: fc.boolean(),
  })
  .map((init) => create(WorkResponseSchema, init));

const runnerResponse = fc
  .record({
    ready: fc.boolean(),
    commands: maybe(fc.record({ token, commandId: fc.nat() })),
    results: fc.array(result, { maxLength: 5 }),
    ended: maybe(token),
    abandoned: maybe(token),
  })
  .map((init) => create(RunnerResponseSchema, init));

describe("a frame that is taken apart by hand", () => {
  test("of the server says what it says when it is decoded", () => {
    fc.assert(
      fc.property(workResponse, (message) => {
        const frame = toBinary(WorkResponseSchema, message);
        const { assignments, receipts, rest } = readServerFrame(frame);
        expect(assignments.map(({ key, sequence, taskId, ownProcess }) => ({ key, sequence, taskId, ownProcess }))).toEqual(
          message.assignments.map((one) => ({ key: tokenKey(one.token), sequence: Number(one.sequence), taskId: one.taskId, ownProcess: one.ownProcess })),
        );
        expect(assignments.map(({ encoded }) => fromBinary(AssignmentSchema, new Uint8Array(encoded)))).toEqual(message.assignments);
        expect(receipts).toEqual(message.receipts.map((receipt) => tokenKey(receipt.token)));
        expect(asJson(WorkResponseSchema, rest)).toEqual(asJson(WorkResponseSchema, { ...message, assignments: [], receipts: [] }));
      }),
    );
  });

  test("of a runner says what it says when it is decoded", () => {
    fc.assert(
      fc.property(runnerResponse, (message) => {
        const { results, rest } = readRunnerFrame(toBinary(RunnerResponseSchema, message));
        expect(results.map(({ key }) => key)).toEqual(message.results.map((one) => tokenKey(one.token)));
        expect(results.map(({ encoded }) => fromBinary(AttemptResultSchema, new Uint8Array(encoded)))).toEqual(message.results);
        expect(asJson(RunnerResponseSchema, rest)).toEqual(asJson(RunnerResponseSchema, { ...message, results: [] }));
      }),
    );
  });

  test("may hold fields that this version does not know", () => {
    const unknown = Buffer.from([0xf8, 0x07, 0x96, 0x01, 0xfd, 0x07, 1, 2, 3, 4, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]);
    const known = toBinary(WorkResponseSchema, create(WorkResponseSchema, { receipts: [{ token: new Uint8Array(8) }] }));
    expect(readServerFrame(Buffer.concat([unknown, known])).receipts).toEqual(["\0".repeat(8)]);
  });

  test("is refused if it is cut off", () => {
    fc.assert(
      fc.property(workResponse, fc.nat(), (message, cut) => {
        const frame = toBinary(WorkResponseSchema, message);
        const part = frame.subarray(0, cut % (frame.length + 1));
        const decodes = (read: () => unknown) => {
          try {
            read();
            return true;
          } catch {
            return false;
          }
        };
        expect(decodes(() => readServerFrame(part))).toBe(decodes(() => fromBinary(WorkResponseSchema, part)));
      }),
    );
  });
});

test("fields that are appended by hand are read as if they had been encoded with the message", () => {
  fc.assert(
    fc.property(fc.array(assignment), fc.boolean(), (assignments, hasSession) => {
      const session = hasSession ? { version: "1" } : undefined;
      const rest = create(RunnerRequestSchema, { session });
      const values = assignments.map((one) => toBinary(AssignmentSchema, create(AssignmentSchema, one)));
      const appended = appendFields(toBinary(RunnerRequestSchema, rest), { field: 2, values });
      expect(fromBinary(RunnerRequestSchema, new Uint8Array(appended))).toEqual(
        fromBinary(RunnerRequestSchema, toBinary(RunnerRequestSchema, create(RunnerRequestSchema, { session, assignments }))),
      );
    }),
  );
});

test("a varint is read exactly below 2^53", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const cursor = new FieldCursor(toBinary(AssignmentSchema, create(AssignmentSchema, { sequence: BigInt(value) })));
      expect(cursor.next() ? cursor.number : 0).toBe(value);
    }),
  );
});

/** Comparable: encoded again, so that absent and empty are the same. */
function asJson<T extends DescMessage>(schema: T, message: Parameters<typeof toBinary<T>>[1] | undefined): string {
  return message === undefined ? "" : Buffer.from(toBinary(schema, message)).toString("hex");
}
