// The types of schema libraries, by their shape: the SDK depends on none of them. `any` where only it lets every library's type be matched.

/** https://standardschema.dev, version 1: zod from 3.24, valibot, arktype, yup from 1.7, effect's `Schema.standardSchemaV1`, and others. */
export interface StandardSchema<TInput = unknown, TOutput = TInput> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<TOutput> | Promise<StandardResult<TOutput>>;
    readonly types?: { readonly input: TInput; readonly output: TOutput } | undefined;
  };
}

/** What a Standard Schema answers: issues, or else the value. */
export type StandardResult<TOutput> = { readonly value: TOutput; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** What a schema has against a value. */
export interface SchemaIssue {
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** zod before 3.24, which is no Standard Schema. */
interface ZodSchema<TInput, TOutput> {
  readonly _input: TInput;
  readonly _output: TOutput;
  parse(value: unknown): unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
type ParsingSchema<T> = { parse: (value: any) => T };
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
type YupSchema<T> = { validateSync: (value: any) => T };
type CreatingSchema<T> = { create: (value: unknown) => T };
type AssertingSchema<T> = { assert: (value: unknown) => asserts value is T };
type CheckingSchema<T> = { check: (value: unknown) => T };
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
type SchemaFunction<T> = (value: any) => T | Promise<T>;

/**
 * What `schemaTask` takes as a schema: any Standard Schema (zod 4 and 3, valibot, arktype, yup and others), whatever else has `parse` (runtypes, myzod), `validateSync` (yup), `create` (superstruct),
 * `assert` or `check`, or a function that returns the payload or throws (`v.parser(schema)`, effect's `decodeUnknownSync(schema)`, your own). It may be asynchronous.
 */
export type TaskSchema =
  // biome-ignore lint/suspicious/noExplicitAny: see the top of this file
  | StandardSchema<any, any>
  // biome-ignore lint/suspicious/noExplicitAny: see the top of this file
  | ZodSchema<any, any>
  | ParsingSchema<unknown>
  | YupSchema<unknown>
  | CreatingSchema<unknown>
  | AssertingSchema<unknown>
  | CheckingSchema<unknown>
  | SchemaFunction<unknown>;

/** What a schema makes: the payload that `run` is given. `TDefault` without a schema. */
export type inferSchemaOut<TSchema, TDefault = unknown> = TSchema extends { "~standard": { types?: infer TTypes } }
  ? NonNullable<TTypes> extends { output: infer TOutput }
    ? TOutput
    : TDefault
  : TSchema extends ZodSchema<unknown, infer TOutput>
    ? TOutput
    : TSchema extends ParsingSchema<infer T>
      ? T
      : TSchema extends YupSchema<infer T>
        ? T
        : TSchema extends CreatingSchema<infer T>
          ? T
          : TSchema extends AssertingSchema<infer T>
            ? T
            : TSchema extends CheckingSchema<infer T>
              ? T
              : TSchema extends SchemaFunction<infer T>
                ? T
                : TDefault;

/** What a schema takes: the payload that a trigger gives. It is what the schema makes, unless the schema says otherwise. */
export type inferSchemaIn<TSchema, TDefault = unknown> = TSchema extends { "~standard": { types?: infer TTypes } }
  ? NonNullable<TTypes> extends { input: infer TInput }
    ? TInput
    : TDefault
  : TSchema extends ZodSchema<infer TInput, unknown>
    ? TInput
    : inferSchemaOut<TSchema, TDefault>;
