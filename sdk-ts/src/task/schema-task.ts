import type { InitOutput } from "../hooks/hook-params.js";
import { schemaParser } from "../schema/schema-parser.js";
import type { inferSchemaIn, inferSchemaOut, TaskSchema } from "../schema/task-schema.js";
import { defineTask } from "./task.js";
import type { Task, TaskOptions } from "./task-types.js";

/** What `schemaTask` takes. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of what `init` returns where there is none
export interface SchemaTaskOptions<TIdentifier extends string, TSchema extends TaskSchema | undefined, TOutput = unknown, TInit extends InitOutput = any>
  extends TaskOptions<TIdentifier, inferSchemaOut<TSchema>, TOutput, TInit> {
  /** What a payload must be; see {@link TaskSchema}. */
  schema?: TSchema;
}

/** A task with a schema: triggers take what the schema takes. */
export interface SchemaTask<TIdentifier extends string, TSchema extends TaskSchema | undefined, TOutput = unknown>
  extends Task<TIdentifier, inferSchemaIn<TSchema>, TOutput> {
  readonly schema?: TSchema | undefined;
}

/**
 * Defines a task whose payload a schema checks:
 *
 * ```ts
 * export const remind = schemaTask({
 *   id: "remind",
 *   schema: z.object({ who: z.string(), at: z.coerce.date() }),
 *   run: async ({ who, at }) => { … },   // at is a Date
 * });
 * ```
 *
 * - In the caller, by the task's own `trigger`, `triggerAndWait` and batch functions: a payload that the schema refuses rejects with the library's own error, and no run is created. `tasks.trigger("id")`,
 *   which does not know the schema, does not check. What is sent is what the caller gave, so that defaults and transformations are applied once.
 * - In the worker, before each attempt: `run` is given what the schema makes. A payload that the schema refuses ends the run with TASK_INPUT_ERROR, without retries, and no hook is called.
 *
 * The JSON Schema of the payload is stored with the task, if the schema's library can tell it, or `jsonSchema` says it. The schema may be asynchronous.
 *
 * @throws as `task`; TypeError if `schema` is none
 */
// biome-ignore lint/suspicious/noExplicitAny: as above
export function schemaTask<TIdentifier extends string, TSchema extends TaskSchema | undefined = undefined, TOutput = unknown, TInit extends InitOutput = any>(
  options: SchemaTaskOptions<TIdentifier, TSchema, TOutput, TInit>,
): SchemaTask<TIdentifier, TSchema, TOutput> {
  const { schema, ...rest } = options;
  if (schema === undefined) return defineTask(rest) as unknown as SchemaTask<TIdentifier, TSchema, TOutput>;
  const parsePayload = schemaParser(schema);
  const made = defineTask<TIdentifier, inferSchemaIn<TSchema>, TOutput>(rest as unknown as TaskOptions<TIdentifier, inferSchemaIn<TSchema>, TOutput>, {
    parsePayload,
    schema,
  });
  return Object.assign(made, { schema });
}

/** A name of {@link schemaTask} for those whose schemas are zod's. */
export const zodTask: typeof schemaTask = schemaTask;
