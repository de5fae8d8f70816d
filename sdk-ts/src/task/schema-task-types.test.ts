import { type } from "arktype";
import * as runtypes from "runtypes";
import * as superstruct from "superstruct";
import * as v from "valibot";
import { expectTypeOf, test } from "vitest";
import * as yup from "yup";
import * as z from "zod";
import * as z3 from "zod/v3";
import {
  type AnyTask,
  type inferSchemaIn,
  type inferSchemaOut,
  runs,
  schemaTask,
  type Task,
  type TaskOutput,
  type TaskPayload,
  task,
  tasks,
  zodTask,
} from "../index.js";

const remind = schemaTask({
  id: "types-remind",
  schema: z.object({ who: z.string().default("me"), at: z.coerce.date() }),
  run: async (payload, { ctx }) => {
    expectTypeOf(payload).toEqualTypeOf<{ who: string; at: Date }>();
    expectTypeOf(ctx.attempt.number).toBeNumber();
    return { at: payload.at, seen: new Set([payload.who]) };
  },
});
type Given = { who?: string | undefined; at: unknown };
type Made = { at: Date; seen: Set<string> };

// The calls below are for the compiler only.
const never = (_: () => unknown) => {};

test("a trigger takes what the schema takes, run is given what it makes", () => {
  expectTypeOf(remind).toExtend<Task<"types-remind", Given, Made>>();
  expectTypeOf(remind).toExtend<AnyTask>();
  expectTypeOf<TaskPayload<typeof remind>>().toEqualTypeOf<Given>();
  expectTypeOf<TaskOutput<typeof remind>>().toEqualTypeOf<Made>();
  never(() => remind.trigger({ at: "2026-01-01" }));
  never(() => remind.batchTrigger([{ payload: { at: 0 } }, { payload: { who: "you", at: new Date() }, options: { maxAttempts: 1 } }]));
  never(() => tasks.trigger<typeof remind>("types-remind", { at: 0 }));
  // @ts-expect-error: a name is a string
  never(() => remind.trigger({ who: 7, at: 0 }));
  // @ts-expect-error: a payload is needed
  never(() => remind.trigger());
  // @ts-expect-error: the payload of an item
  never(() => remind.batchTrigger([{ payload: { who: 7, at: 0 } }]));
});

test("results and handles carry rich types", () => {
  expectTypeOf<ReturnType<ReturnType<typeof remind.triggerAndWait>["unwrap"]>>().resolves.toEqualTypeOf<Made>();
  expectTypeOf(remind.batchTriggerAndWait).returns.resolves.toHaveProperty("id").toBeString();
  const byTask = () => runs.retrieve<typeof remind>("run_1");
  expectTypeOf(byTask).returns.resolves.toHaveProperty("output").toEqualTypeOf<Made | undefined>();
  expectTypeOf(byTask).returns.resolves.toHaveProperty("payload").toEqualTypeOf<Given | undefined>();
});

test("zodTask is schemaTask, and without a schema the payload is unknown", () => {
  const count = zodTask({ id: "types-count", schema: z.string().transform(Number), run: (payload) => payload + 1 });
  expectTypeOf<TaskPayload<typeof count>>().toEqualTypeOf<string>();
  expectTypeOf<TaskOutput<typeof count>>().toEqualTypeOf<number>();
  const open = schemaTask({ id: "types-open", run: async (payload) => payload });
  expectTypeOf<TaskPayload<typeof open>>().toBeUnknown();
});

test("the types of every library are found", () => {
  interface Both {
    name: string;
    count: number;
  }
  const [zod3, valibot, ark] = [
    z3.object({ at: z3.coerce.date(), n: z3.number().default(1) }),
    v.object({ n: v.optional(v.number(), 1) }),
    type({ n: "string.numeric.parse" }),
  ];
  expectTypeOf<inferSchemaOut<typeof zod3>>().toEqualTypeOf<{ at: Date; n: number }>();
  expectTypeOf<inferSchemaIn<typeof zod3>["n"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<inferSchemaIn<typeof valibot>>().toEqualTypeOf<{ n?: number | undefined }>();
  expectTypeOf<inferSchemaOut<typeof valibot>>().toEqualTypeOf<{ n: number }>();
  expectTypeOf<inferSchemaIn<typeof ark>>().toEqualTypeOf<{ n: string }>();
  expectTypeOf<inferSchemaOut<typeof ark>>().toEqualTypeOf<{ n: number }>();
  const parser = v.parser(v.object({ n: v.number() }));
  expectTypeOf<inferSchemaOut<typeof parser>>().toEqualTypeOf<{ n: number }>();
  const others = {
    yup: yup.object({ name: yup.string().required(), count: yup.number().required() }),
    superstruct: superstruct.object({ name: superstruct.string(), count: superstruct.number() }),
    runtypes: runtypes.Object({ name: runtypes.String, count: runtypes.Number }),
    later: async (value: unknown) => value as Both,
    assert: {} as { assert(value: unknown): asserts value is Both },
  };
  expectTypeOf<inferSchemaOut<typeof others.yup>>().toEqualTypeOf<{ name: string; count: number }>();
  expectTypeOf<inferSchemaOut<typeof others.superstruct>>().toEqualTypeOf<{ name: string; count: number }>();
  expectTypeOf<inferSchemaOut<typeof others.runtypes>>().toExtend<{ name: string; count: number }>();
  expectTypeOf<inferSchemaOut<typeof others.later>>().toEqualTypeOf<Both>();
  expectTypeOf<inferSchemaIn<typeof others.assert>>().toEqualTypeOf<Both>();
  never(() => schemaTask({ id: "types-yup", schema: others.yup, run: (payload) => payload.count }));
  never(() => schemaTask({ id: "types-superstruct", schema: others.superstruct, run: (payload) => payload.count }));
  never(() => schemaTask({ id: "types-runtypes", schema: others.runtypes, run: (payload) => payload.count }));
  never(() => schemaTask({ id: "types-later", schema: others.later, run: (payload) => payload.count }));
  // @ts-expect-error: no schema
  never(() => schemaTask({ id: "types-none", schema: { type: "object" }, run: async () => {} }));
});

test("with a JSON Schema the payload is any", () => {
  const open = task({ id: "types-json", jsonSchema: { type: "object" }, run: async (payload) => payload.whatever as string });
  expectTypeOf<TaskPayload<typeof open>>().toBeAny();
  expectTypeOf<TaskOutput<typeof open>>().toEqualTypeOf<string>();
  expectTypeOf(open.jsonSchema).toEqualTypeOf<boolean | { readonly [keyword: string]: unknown } | undefined>();
});
