import { type } from "arktype";
import * as runtypes from "runtypes";
import * as superstruct from "superstruct";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import * as yup from "yup";
import * as z from "zod";
import * as z3 from "zod/v3";
import { SchemaError } from "./schema-error.js";
import { schemaParser } from "./schema-parser.js";
import type { TaskSchema } from "./task-schema.js";

const failure = async (schema: TaskSchema, value: unknown): Promise<Error> => {
  try {
    return new Error(`it was not refused: ${JSON.stringify(await schemaParser(schema)(value))}`);
  } catch (error) {
    return error as Error;
  }
};

// The same payload in each library: a name, and a count that is 1 if it is missing, as far as the library has defaults.
const libraries: [name: string, schema: TaskSchema, error: string, byDefault: number | undefined][] = [
  ["zod 4", z.object({ name: z.string(), count: z.number().default(1) }), "ZodError", 1],
  ["zod 4, asynchronous", z.object({ name: z.string().refine(async (name) => name !== ""), count: z.number().default(1) }), "ZodError", 1],
  ["zod 3", z3.object({ name: z3.string(), count: z3.number().default(1) }), "ZodError", 1],
  ["valibot's parser", v.parser(v.object({ name: v.string(), count: v.optional(v.number(), 1) })), "ValiError", 1],
  ["valibot", v.object({ name: v.string(), count: v.optional(v.number(), 1) }), "SchemaError", 1],
  [
    "valibot, asynchronous",
    v.objectAsync({
      name: v.pipeAsync(
        v.string(),
        v.checkAsync(async (name) => name !== ""),
      ),
      count: v.optional(v.number(), 1),
    }),
    "SchemaError",
    1,
  ],
  ["arktype", type({ name: "string", count: "number = 1" }), "TraversalError", 1],
  ["yup", yup.object({ name: yup.string().required(), count: yup.number().default(1) }), "ValidationError", 1],
  [
    "yup, asynchronous",
    yup.object({
      name: yup
        .string()
        .required()
        .test("later", "no", async () => true),
      count: yup.number().default(1),
    }),
    "ValidationError",
    1,
  ],
  ["superstruct", superstruct.object({ name: superstruct.string(), count: superstruct.defaulted(superstruct.number(), 1) }), "StructError", 1],
  ["runtypes", runtypes.Object({ name: runtypes.String, count: runtypes.Number.optional() }), "ValidationError", undefined],
  [
    "a function",
    (value: { name?: unknown }) => {
      if (typeof value.name !== "string") throw new RangeError("name must be a string");
      return { count: 1, ...value };
    },
    "RangeError",
    1,
  ],
  [
    "a function that promises",
    async (value: { name?: unknown }) => (typeof value.name === "string" ? { count: 1, ...value } : Promise.reject(new RangeError("name must be a string"))),
    "RangeError",
    1,
  ],
  ["an object with assert", { assert: (value: unknown) => void z.object({ name: z.string() }).parse(value) } as unknown as TaskSchema, "ZodError", undefined],
];

describe.each(libraries)("%s", (_, schema, error, byDefault) => {
  test("makes the payload of what it is given", async () => {
    expect(await schemaParser(schema)({ name: "a", count: 7 })).toEqual({ name: "a", count: 7 });
    expect(await schemaParser(schema)({ name: "a" })).toEqual(byDefault === undefined ? { name: "a" } : { name: "a", count: byDefault });
  });

  test("refuses with its own error", async () => {
    const refused = await failure(schema, { name: {}, count: 7 });
    expect(refused.name).toBe(error);
    expect(refused.message).toMatch(/name|string/);
  });
});

test("a schema without an error of its own tells all that it has against a value", async () => {
  const error = (await failure(v.object({ list: v.array(v.object({ n: v.number() })), s: v.string() }), { list: [{ n: "x" }], s: 1 })) as SchemaError;
  expect(error).toBeInstanceOf(SchemaError);
  expect(error.message).toMatch(/^list\.0\.n: Invalid type/);
  expect(error.issues).toHaveLength(2);
});

test("what is no schema is an error", () => {
  for (const none of [{}, null, "string", 7, { "~standard": {} }]) expect(() => schemaParser(none as unknown as TaskSchema)).toThrow("schema must be");
});
