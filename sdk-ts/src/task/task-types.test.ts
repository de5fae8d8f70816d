import { expectTypeOf, test } from "vitest";
import {
  type AnyTask,
  type RunHandle,
  runs,
  type Task,
  type TaskIdentifier,
  type TaskOutput,
  type TaskPayload,
  type TaskRunResult,
  task,
  tasks,
} from "../index.js";

const resize = task({
  id: "resize",
  run: async (payload: { url: string; width?: number }, { ctx, signal }) => {
    expectTypeOf(ctx.attempt.number).toBeNumber();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    return { bytes: payload.url.length };
  },
});
const tick = task({ id: "tick", run: async () => {} });
const plain = task({ id: "plain", run: (payload: number) => payload > 1 });
// biome-ignore lint/suspicious/noExplicitAny: what people write who do not care
const untyped = task({ id: "untyped", run: async (payload: any) => payload });

// The calls below are for the compiler only.
const never = (_: () => unknown) => {};

test("a task's id, payload and output are inferred from its definition", () => {
  expectTypeOf(resize).toEqualTypeOf<Task<"resize", { url: string; width?: number }, { bytes: number }>>();
  expectTypeOf<TaskIdentifier<typeof resize>>().toEqualTypeOf<"resize">();
  expectTypeOf<TaskPayload<typeof resize>>().toEqualTypeOf<{ url: string; width?: number }>();
  expectTypeOf<TaskOutput<typeof resize>>().toEqualTypeOf<{ bytes: number }>();
  expectTypeOf<TaskPayload<typeof tick>>().toEqualTypeOf<void>();
  expectTypeOf<TaskOutput<typeof tick>>().toEqualTypeOf<void>();
  expectTypeOf<TaskOutput<typeof plain>>().toEqualTypeOf<boolean>();
  expectTypeOf<TaskPayload<typeof untyped>>().toBeAny();
});

test("every task is an AnyTask", () => {
  expectTypeOf(resize).toExtend<AnyTask>();
  expectTypeOf(tick).toExtend<AnyTask>();
});

test("triggers take the payload, and nothing for a task without one", () => {
  never(() => resize.trigger({ url: "u" }, { maxAttempts: 1, queue: "q" }));
  never(() => tick.trigger());
  never(() => tasks.trigger<typeof resize>("resize", { url: "u" }));
  never(() => resize.batchTrigger([{ payload: { url: "u" }, options: { maxAttempts: 1 } }]));
  // @ts-expect-error: the payload has no such field
  never(() => resize.trigger({ uri: "u" }));
  // @ts-expect-error: a payload is needed
  never(() => resize.trigger());
  // @ts-expect-error: another id
  never(() => tasks.trigger<typeof resize>("rezise", { url: "u" }));
  // @ts-expect-error: not yet supported
  never(() => resize.trigger({ url: "u" }, { region: "eu" }));
  // @ts-expect-error: the payload of an item
  never(() => resize.batchTrigger([{ payload: 7 }]));
  // @ts-expect-error: not yet supported
  never(() => task({ id: "t", cron: "0 * * * *", run: async () => {} }));
});

test("results carry the output", () => {
  type Result = TaskRunResult<"resize", { bytes: number }>;
  expectTypeOf(resize.triggerAndWait).returns.resolves.toEqualTypeOf<Result>();
  expectTypeOf(tasks.triggerAndWait<typeof resize>).returns.resolves.toEqualTypeOf<Result>();
  expectTypeOf<ReturnType<ReturnType<typeof resize.triggerAndWait>["unwrap"]>>().resolves.toEqualTypeOf<{ bytes: number }>();
  expectTypeOf(resize.batchTriggerAndWait).returns.resolves.toEqualTypeOf<{ id: string; runs: Result[] }>();
  const narrowed = (result: Result) => (result.ok ? result.output.bytes : result.error);
  expectTypeOf(narrowed).returns.toEqualTypeOf<unknown>();
});

test("a handle carries the types to the run that is read by it", () => {
  const handle = {} as RunHandle<"resize", { url: string }, { bytes: number }>;
  const byHandle = () => runs.retrieve(handle);
  expectTypeOf(byHandle).returns.resolves.toHaveProperty("output").toEqualTypeOf<{ bytes: number } | undefined>();
  expectTypeOf(byHandle).returns.resolves.toHaveProperty("payload").toEqualTypeOf<{ url: string } | undefined>();
  const byTask = () => runs.retrieve<typeof resize>("run_1");
  expectTypeOf(byTask).returns.resolves.toHaveProperty("output").toEqualTypeOf<{ bytes: number } | undefined>();
  const byTaskAndHandle = () => runs.retrieve<typeof resize>(handle);
  expectTypeOf(byTaskAndHandle).returns.toEqualTypeOf<ReturnType<typeof byTask>>();
  const byId = () => runs.poll("run_1");
  expectTypeOf(byId).returns.resolves.toHaveProperty("output").toBeAny();
  never(() => runs.cancel(handle));
  never(async () => {
    for await (const run of runs.subscribeToRun<typeof resize>(handle)) expectTypeOf(run.payload.url).toEqualTypeOf<string>();
    for await (const run of runs.subscribeToRun(handle)) expectTypeOf(run.output).toEqualTypeOf<{ bytes: number } | undefined>();
  });
});
