/** A JSON Schema, draft 7. */
export type JSONSchema = boolean | { readonly [keyword: string]: unknown };

/** Bytes that the JSON Schema of a payload may have as text; the server refuses longer ones. */
export const maxJsonSchemaLength = 65_536;
