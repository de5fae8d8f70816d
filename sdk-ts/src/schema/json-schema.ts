/** A JSON Schema, draft 7. */
export type JSONSchema = boolean | { readonly [keyword: string]: unknown };

/** Characters that the JSON Schema of a payload may have; the server refuses longer ones. */
export const maxJsonSchemaLength = 65_536;

/**
 * The JSON Schema of what a schema takes, as text, if its library can say it: every Standard JSON Schema (zod from 4.2, arktype), and zod 4 before. Undefined for others, and for one of more than
 * 64 KiB. What JSON Schema has no words for, as a Date, it leaves open.
 */
export async function jsonSchemaText(schema: unknown): Promise<string | undefined> {
  try {
    const found = await derive(schema as Derivable);
    const text = found && JSON.stringify(found);
    return text && Buffer.byteLength(text) <= maxJsonSchemaLength ? text : undefined;
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
