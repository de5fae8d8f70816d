import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCall, decodeReply, encodeCall, encodeReply, frameOverhead } from "./frames.js";

const message = fc.uint8Array({ maxLength: 2_000 });
const method = fc.stringMatching(/^[a-zA-Z0-9._]{1,100}\/[a-zA-Z]{1,50}$/);

describe("frames", () => {
  test("of calls come out as they went in", () => {
    fc.assert(
      fc.property(fc.record({ method, timeoutMs: fc.integer({ min: 0, max: 0xffff_ffff }), message }), (call) => {
        const bytes = encodeCall(call);
        expect(bytes.length - call.message.length).toBeLessThanOrEqual(frameOverhead);
        const decoded = decodeCall(bytes);
        expect({ ...decoded, message: [...(decoded?.message ?? [])] }).toEqual({ ...call, message: [...call.message] });
      }),
    );
  });

  test("of replies come out as they went in, and are never empty", () => {
    fc.assert(
      fc.property(fc.record({ failed: fc.boolean(), message }), (reply) => {
        const bytes = encodeReply(reply);
        expect(bytes.length).toBeGreaterThan(0);
        const decoded = decodeReply(bytes);
        expect({ ...decoded, message: [...(decoded?.message ?? [])] }).toEqual({ ...reply, message: [...reply.message] });
      }),
    );
  });

  test("of strangers are told from ours, or do no harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        decodeCall(bytes);
        decodeReply(bytes);
      }),
    );
    expect(decodeCall(new Uint8Array())).toBeUndefined();
    expect(decodeCall(new Uint8Array([1, 0, 0, 0, 0, 200]))).toBeUndefined();
    expect(decodeCall(new Uint8Array([2, 0, 0, 0, 0, 0]))).toBeUndefined();
    expect(decodeReply(new Uint8Array())).toBeUndefined();
    expect(decodeReply(new Uint8Array([7]))).toBeUndefined();
  });
});
