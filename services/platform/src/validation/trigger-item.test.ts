import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { BadRequestSchema } from "#gen/google/rpc/error_details_pb.js";
import { TriggerItemSchema } from "#gen/runlane/v1/run_pb.js";
import { reasonOf } from "../errors.js";
import { itemFault } from "./trigger-item.js";

const item = (init: MessageInitShape<typeof TriggerItemSchema>) => create(TriggerItemSchema, init);
const json = (text: string) => ({ data: Buffer.from(text) });
const fields = (error: ConnectError | undefined) => error?.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);

describe("an item", () => {
  test("passes with a task id alone", () => {
    expect(itemFault(item({ taskId: "send-mail" }), "item")).toBeUndefined();
  });

  test.each(["a", "Tasks/mail.send:v2_1-x", "x".repeat(128)])("may name its task %s", (taskId) => {
    expect(itemFault(item({ taskId }), "item")).toBeUndefined();
  });

  test.each(["", "with space", "ümlaut", "x".repeat(129), "a\nb"])("may not name its task %j", (taskId) => {
    const fault = itemFault(item({ taskId }), "items[3]");
    expect(fault?.code).toBe(Code.InvalidArgument);
    expect(reasonOf(fault)).toBe("INVALID_FIELD");
    expect(fields(fault)).toEqual(["items[3].task_id"]);
  });

  test.each([1, 250])("may ask for %i attempts", (maxAttempts) => {
    expect(itemFault(item({ taskId: "t", options: { maxAttempts } }), "item")).toBeUndefined();
  });

  test("hears of all its broken rules at once", () => {
    const fault = itemFault(item({ taskId: "", options: { maxAttempts: 0, queue: "" }, payload: { contentType: "ü" } }), "item");
    expect(fields(fault)).toEqual(["item.task_id", "item.payload.content_type", "item.options.queue", "item.options.max_attempts"]);
  });

  test.each(["null", "0", '"ü"', '{"a":[1,2]}', " true ", ""])("may carry the payload %j", (text) => {
    expect(itemFault(item({ taskId: "t", payload: json(text) }), "item")).toBeUndefined();
  });

  test.each([
    ["words", Buffer.from("hello")],
    ["two values", Buffer.from("1 2")],
    ["half an object", Buffer.from('{"a":')],
    ["only white space", Buffer.from("  ")],
    ["a byte order mark", Buffer.from("\uFEFF1")],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["UTF-8 of half a surrogate pair", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ])("is PAYLOAD_NOT_JSON with %s", (_, data) => {
    for (const contentType of ["", "application/json", "Application/JSON; charset=utf-8"]) {
      const fault = itemFault(item({ taskId: "t", payload: { contentType, data } }), "items[0]");
      expect(reasonOf(fault)).toBe("PAYLOAD_NOT_JSON");
      expect(fields(fault)).toEqual(["items[0].payload.data"]);
    }
  });

  test("may carry anything under another content type", () => {
    expect(itemFault(item({ taskId: "t", payload: { contentType: "application/octet-stream", data: Buffer.from([0xff]) } }), "item")).toBeUndefined();
  });

  test("may carry 128 KiB, metadata included, and no byte more", () => {
    const data = Buffer.from(`"${"x".repeat(131_072 - 10)}"`);
    expect(itemFault(item({ taskId: "t", payload: { data, metadata: { kkkk: "vvvv" } } }), "item")).toBeUndefined();
    const fault = itemFault(item({ taskId: "t", payload: { data, metadata: { kkkk: "vvvvv" } } }), "item");
    expect(fault?.code).toBe(Code.ResourceExhausted);
    expect(reasonOf(fault)).toBe("PAYLOAD_TOO_LARGE");
  });

  test("may name a stored payload instead of carrying one, not both", () => {
    const reference = `pay_${"x".repeat(22)}`;
    expect(itemFault(item({ taskId: "t", payload: { contentType: "application/json", reference } }), "item")).toBeUndefined();
    expect(fields(itemFault(item({ taskId: "t", payload: { ...json("1"), reference } }), "item"))).toEqual(["item.payload.reference"]);
    expect(fields(itemFault(item({ taskId: "t", payload: { reference: "x".repeat(65) } }), "item"))).toEqual(["item.payload.reference"]);
  });

  test("may carry eight entries of metadata, not nine", () => {
    const metadata = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "v"]));
    expect(itemFault(item({ taskId: "t", payload: { metadata } }), "item")).toBeUndefined();
    expect(fields(itemFault(item({ taskId: "t", payload: { metadata: { ...metadata, k8: "v" } } }), "item"))).toEqual(["item.payload.metadata"]);
  });
});
