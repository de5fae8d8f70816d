import { type } from "arktype";
import * as v from "valibot";
import { expect, test } from "vitest";
import * as z from "zod";
import * as z3 from "zod/v3";
import { payloadSchemaText } from "./payload-schema.js";

const derived = async (schema: object) => {
  const text = await payloadSchemaText({ schema });
  return text === undefined ? undefined : JSON.parse(text);
};
const payload = z.object({ name: z.string().default("x"), at: z.coerce.date(), count: z.string().transform(Number) });
// The side of the caller: what has a default may be missing, what is transformed is as it comes. A Date is nothing that JSON Schema knows.
const described = {
  $schema: "http://json-schema.org/draft-07/schema#",
  type: "object",
  properties: { name: { type: "string", default: "x" }, at: {}, count: { type: "string" } },
  required: ["at", "count"],
};

test("zod tells what a caller may give", async () => {
  expect(await derived(payload)).toEqual(described);
});

test("zod before 4.2, whose schemas do not tell it themselves, too", async () => {
  const { validate, vendor, version } = payload["~standard"];
  const older: object = Object.create(payload, { "~standard": { value: { validate, vendor, version } }, toJSONSchema: { value: undefined } });
  expect(await derived(older)).toEqual(described);
});

test("arktype tells it, and leaves open what JSON Schema has no words for", async () => {
  expect(await derived(type({ name: "string", "at?": "Date" }))).toMatchObject({ properties: { name: { type: "string" }, at: {} }, required: ["name"] });
});

test("from others there is none, and none that is too long", async () => {
  expect(await derived(v.object({ name: v.string() }))).toBeUndefined();
  expect(await derived(z3.object({ name: z3.string() }))).toBeUndefined();
  expect(await derived((value: unknown) => value)).toBeUndefined();
  expect(await derived(z.object({ name: z.string().describe("x".repeat(65_536)) }))).toBeUndefined();
});

test("the one that a task was given counts more", async () => {
  expect(await payloadSchemaText({ schema: payload, jsonSchema: { type: "string" } })).toBe('{"type":"string"}');
  expect(await payloadSchemaText({ jsonSchema: false })).toBe("false");
  expect(await payloadSchemaText({})).toBeUndefined();
});
