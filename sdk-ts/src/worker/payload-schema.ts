import type { RegisteredTask } from "../runtime/task-registry.js";
import { maxJsonSchemaLength } from "../schema/json-schema.js";

// Not a part of the SDK's main entry: programs that are bundled would have to have zod.

/**
 * The JSON Schema of a task's payload, as text: the one that it was given, else that of what its schema takes, if the schema's library can say it: every Standard JSON Schema (zod from 4.2, arktype), and zod 4
 * before. Undefined for others, and for one of more than 64 KiB. What JSON Schema has no words for, as a Date, is left open.
 */
export async function payloadSchemaText({ jsonSchema, schema }: Pick<RegisteredTask, "jsonSchema" | "schema">): Promise<string | undefined> {
  try {
    const found = jsonSchema ?? (schema ? await derive(schema) : undefined);
    const text = found === undefined ? undefined : JSON.stringify(found);
    return text !== undefined && Buffer.byteLength(text) <= maxJsonSchemaLength ? text : undefined;
  } catch {
    // A schema without a JSON Schema is as good a schema: the task runs without one.
    return undefined;
  }
}

/** The parts of schemas that JSON Schemas can be had from. */
interface Derivable {
  /** https://standardschema.dev/json-schema */
  readonly "~standard"?: { readonly jsonSchema?: { input(options: object): object } };
  /** Marks schemas of zod 4. */
  readonly _zod?: unknown;
}

async function derive(schema: Derivable): Promise<object | undefined> {
  // zod throws for what JSON Schema cannot say, arktype calls `fallback`.
  const libraryOptions = { unrepresentable: "any", fallback: ({ base }: { base: object }) => base };
  const { jsonSchema } = schema["~standard"] ?? {};
  if (jsonSchema) return jsonSchema.input({ target: "draft-07", libraryOptions });
  if (!schema._zod) return undefined;
  // zod 4.0 and 4.1. Whoever has such a schema has zod.
  const { toJSONSchema } = await import("zod/v4/core");
  return toJSONSchema(schema as Parameters<typeof toJSONSchema>[0], { io: "input", target: "draft-7", unrepresentable: "any" });
}
