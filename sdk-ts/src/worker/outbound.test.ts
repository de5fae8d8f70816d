import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { AttemptCommandSchema, AttemptResultSchema, WorkRequestSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { Outbound } from "./outbound.js";
import { keyToken, type TokenKey, tokenKey } from "./token-key.js";

const keys = fc.string({ minLength: 12, maxLength: 12, unit: "binary-ascii" });
const said = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("accept" as const), key: keys }),
    fc.record({ kind: fc.constant("result" as const), key: keys, length: fc.integer({ min: 0, max: 131_072 }) }),
    fc.record({ kind: fc.constant("command" as const), key: keys, length: fc.integer({ min: 0, max: 131_072 }) }),
    fc.record({ kind: fc.constant("confirm" as const), key: keys }),
  ),
  { maxLength: 1_200, size: "max" },
);

const result = (key: TokenKey, length: number) =>
  toBinary(AttemptResultSchema, create(AttemptResultSchema, { token: keyToken(key), outcome: { case: "output", value: { data: new Uint8Array(length) } } }));
const framesOf = (outbound: Outbound) => outbound.take().map((bytes) => ({ bytes: bytes.length, ...fromBinary(WorkRequestSchema, bytes) }));
const command = (key: TokenKey, length: number) =>
  create(AttemptCommandSchema, {
    token: keyToken(key),
    command: { case: "trigger", value: { items: [{ taskId: "child", payload: { data: new Uint8Array(length) } }] } },
  });

test("everything is said once and in order, in frames within the protocol's limits", () => {
  fc.assert(
    fc.property(said, (items) => {
      const outbound = new Outbound();
      for (const item of items) {
        if (item.kind === "accept") outbound.accept(item.key);
        else if (item.kind === "result") outbound.result(item.key, result(item.key, item.length));
        else if (item.kind === "command") outbound.command(command(item.key, item.length));
        else outbound.confirmCancel(item.key);
      }
      const frames = framesOf(outbound);
      for (const frame of frames) {
        expect(frame.bytes).toBeLessThanOrEqual(512 * 1_024);
        expect(frame.accepted.length + frame.results.length + frame.commands.length + frame.cancelConfirmed.length).toBeLessThanOrEqual(500);
      }
      const tokens = (kind: string) => items.filter((item) => item.kind === kind).map((item) => item.key);
      expect(frames.flatMap((frame) => frame.results.map(({ token }) => tokenKey(token)))).toEqual(tokens("result"));
      expect(frames.flatMap((frame) => frame.commands.map(({ token }) => tokenKey(token)))).toEqual(tokens("command"));
      expect(frames.flatMap((frame) => frame.cancelConfirmed.map(tokenKey))).toEqual(tokens("confirm"));
      expect(outbound.isEmpty).toBe(true);
    }),
    { numRuns: 12 },
  );
});

test("a heartbeat comes after what it counts", () => {
  const outbound = new Outbound();
  for (let number = 0; number < 1_000; number += 1) outbound.accept(`attempt ${String(number).padStart(4, "0")}`);
  outbound.heartbeat({ $typeName: "runlane.v1.Heartbeat", sequence: 1n, assignmentSequence: 0n, heldCount: 1_000, heldDigest: 0n });
  expect(framesOf(outbound).map((frame) => frame.heartbeat?.heldCount)).toEqual([undefined, 1_000]);
});

test("a result makes its acceptance needless", () => {
  const outbound = new Outbound();
  outbound.accept("attempt 0001");
  outbound.result("attempt 0001", result("attempt 0001", 0));
  expect(framesOf(outbound)[0]!.accepted).toEqual([]);
});
