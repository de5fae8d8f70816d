import { SchemaError } from "./schema-error.js";
import type { StandardSchema, TaskSchema } from "./task-schema.js";

/** Makes a payload of a value, as a schema says; throws, or rejects with, the library's own error for a value that the schema refuses. */
export type SchemaParser = (value: unknown) => unknown;

type Method = (value: unknown) => unknown;

/** How the libraries parse, the first that a schema has; the order matters, as many have several. What throws the library's own error comes before what only lists issues. */
const ways: readonly ((schema: Record<string, unknown>) => SchemaParser | undefined)[] = [
  // zod, whose `parse` refuses schemas with asynchronous parts.
  (schema) => method(schema, "parseAsync"),
  (schema) => method(schema, "parse"),
  // yup. superstruct has a `validate` that answers otherwise, and no `validateSync`.
  (schema) => method(schema, "validateSync") && (method(schema, "validate") ?? method(schema, "validateSync")),
  (schema) => (typeof schema === "function" ? method(schema, "assert") : undefined),
  (schema) => standardParser(schema),
  (schema) => method(schema, "create"),
  (schema) => asserting(method(schema, "assert")),
  (schema) => method(schema, "check"),
  (schema) => (typeof schema === "function" ? (schema as Method) : undefined),
];

/**
 * How a schema parses.
 *
 * @throws TypeError if it is none
 */
export function schemaParser(schema: TaskSchema): SchemaParser {
  const known = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  for (const way of known ? ways : []) {
    const parser = way(schema as unknown as Record<string, unknown>);
    if (parser) return parser;
  }
  throw new TypeError("schema must be a Standard Schema, an object with parse, validateSync, create, assert or check, or a function");
}

function method(schema: Record<string, unknown>, name: string): Method | undefined {
  const found = schema[name];
  return typeof found === "function" ? (value) => (found as Method).call(schema, value) : undefined;
}

function asserting(assert: Method | undefined): SchemaParser | undefined {
  if (assert === undefined) return undefined;
  return (value) => {
    assert(value);
    return value;
  };
}

function standardParser(schema: object): SchemaParser | undefined {
  const standard = (schema as Partial<StandardSchema>)["~standard"];
  if (typeof standard?.validate !== "function") return undefined;
  return async (value) => {
    const result = await standard.validate(value);
    if (result.issues) throw new SchemaError(result.issues);
    return result.value;
  };
}
