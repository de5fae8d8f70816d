import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RunnerRequestSchema, RunnerResponseSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import { messageArbitrary } from "../testing/message-arbitrary.js";
import { RunnerResponseFrame, readRunnerRequest } from "./runner-frames.js";
import { tokenKey } from "./token-key.js";

// The hand codec against protobuf-es, with whatever fields the contract has.

describe("the frames of a runner's pipe", () => {
  test("from the supervisor are read as protobuf-es reads them", () => {
    fc.assert(
      fc.property(messageArbitrary(RunnerRequestSchema), (message) => {
        const bytes = toBinary(RunnerRequestSchema, message);
        expect(hex(toBinary(RunnerRequestSchema, readRunnerRequest(bytes)))).toBe(hex(bytes));
      }),
    );
  });

  test("from the runner say what protobuf-es would have them say", () => {
    fc.assert(
      fc.property(messageArbitrary(RunnerResponseSchema), (message) => {
        const frame = new RunnerResponseFrame();
        Object.assign(frame.rest, { ...message, results: [] });
        for (const { token, outcome } of message.results) frame.result(tokenKey(token), outcome);
        expect(hex(toBinary(RunnerResponseSchema, fromBinary(RunnerResponseSchema, frame.encode())))).toBe(hex(toBinary(RunnerResponseSchema, message)));
      }),
    );
  });
});

test("a result survives whatever its output looks like", () => {
  const frame = new RunnerResponseFrame();
  const results = [0, 1, 127, 128, 16_383, 16_384, 131_072].map((length) => ({
    token: Buffer.alloc(24, 7),
    outcome: { case: "output" as const, value: { contentType: "application/json", data: Buffer.alloc(length, 32) } },
  }));
  const message = create(RunnerResponseSchema, { results });
  for (const { token, outcome } of message.results) frame.result(tokenKey(token), outcome);
  expect(hex(frame.encode())).toBe(hex(toBinary(RunnerResponseSchema, message)));
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
