import fc from "fast-check";
import { expect, test } from "vitest";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { payloadOf, valueOfPayload } from "./payload.js";

test("whatever JSON can say comes back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const sent = payloadOf(value, "value")!;
      // As it arrives: a view into the frame that brought it.
      const frame = Buffer.concat([Buffer.from("before"), sent.data, Buffer.from("after")]);
      const data = new Uint8Array(frame.buffer, frame.byteOffset + 6, sent.data.length);
      expect(valueOfPayload({ ...sent, data })).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("undefined is no value, and comes back as undefined", () => {
  expect(payloadOf(undefined, "value")).toBeUndefined();
  expect(valueOfPayload(undefined)).toBeUndefined();
  expect(valueOfPayload({ contentType: "application/json", data: new Uint8Array() } as Payload)).toBeUndefined();
});

test("without a content type it is JSON; another one is refused", () => {
  const data = Buffer.from("[1]");
  expect(valueOfPayload({ contentType: "", data } as unknown as Payload)).toEqual([1]);
  expect(() => valueOfPayload({ contentType: "application/cbor", data } as unknown as Payload)).toThrow("application/cbor");
});
