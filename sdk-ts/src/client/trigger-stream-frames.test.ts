import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TriggerFrameSchema, TriggerStreamRequestSchema, TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { messageArbitrary } from "../testing/message-arbitrary.js";
import { encodeTriggerFrame, readTriggerStreamResponse } from "./trigger-stream-frames.js";

// The hand codec against protobuf-es, with whatever fields the contract has.

describe("the frames of a trigger stream", () => {
  test("that trigger tasks are written as protobuf-es writes them, byte for byte", () => {
    fc.assert(
      fc.property(messageArbitrary(TriggerFrameSchema), fc.nat(100_000), (value, expectedLength) => {
        const request = create(TriggerStreamRequestSchema, { frame: { case: "trigger", value } });
        expect(hex(encodeTriggerFrame(value, expectedLength))).toBe(hex(toBinary(TriggerStreamRequestSchema, request)));
      }),
    );
  });

  test("that answer are read as protobuf-es reads them", () => {
    fc.assert(
      fc.property(messageArbitrary(TriggerStreamResponseSchema), (message) => {
        const bytes = toBinary(TriggerStreamResponseSchema, message);
        const read = create(TriggerStreamResponseSchema, { frame: readTriggerStreamResponse(bytes) });
        expect(hex(toBinary(TriggerStreamResponseSchema, read))).toBe(hex(bytes));
      }),
    );
  });

  test("may hold fields that this version does not know", () => {
    const unknown = Buffer.from([0xf8, 0x07, 0x96, 0x01, 0xfd, 0x07, 1, 2, 3, 4, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]);
    const results = Buffer.from([0x12, 6, 0x0a, 4, 0x0a, 2, 0x61, 0x62]);
    expect(readTriggerStreamResponse(Buffer.concat([unknown, results]))).toMatchObject({ case: "results", value: { results: [{ runId: "ab" }] } });
  });

  test("are refused if they are cut off", () => {
    fc.assert(
      fc.property(messageArbitrary(TriggerStreamResponseSchema), fc.nat(), (message, cut) => {
        const whole = toBinary(TriggerStreamResponseSchema, message);
        const part = whole.subarray(0, cut % (whole.length + 1));
        expect(reads(() => readTriggerStreamResponse(part))).toBe(reads(() => fromBinary(TriggerStreamResponseSchema, part)));
      }),
    );
  });
});

function reads(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
