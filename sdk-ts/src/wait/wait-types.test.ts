import { expectTypeOf, test } from "vitest";
import { step } from "../step/step.js";
import { task } from "../task/task.js";
import type { TaskRunPromise } from "../task/task-run-promise.js";
import { tasks } from "../task/tasks.js";
import { wait } from "./wait.js";
import type { ManualWaitpointPromise, WaitpointTokenTypedResult } from "./waitpoint-promise.js";

const double = task({ id: "double", run: async (payload: { n: number }) => payload.n * 2 });

/** Checked by the compiler, and never called. */
const checked = async () => {
  expectTypeOf(wait.forToken<{ by: string }>("waitpoint_1")).toEqualTypeOf<ManualWaitpointPromise<{ by: string }>>();
  expectTypeOf(await wait.forToken<{ by: string }>({ id: "waitpoint_1" })).toEqualTypeOf<WaitpointTokenTypedResult<{ by: string }>>();
  expectTypeOf(wait.forToken<number>("waitpoint_1").unwrap()).toEqualTypeOf<Promise<number>>();
  expectTypeOf(await step("a", () => 1)).toEqualTypeOf<number>();
  expectTypeOf(await step("a", async () => ({ at: new Date() }), { key: ["x", 1], retry: { maxAttempts: 2 } })).toEqualTypeOf<{ at: Date }>();
  expectTypeOf(double.triggerAndSubscribe({ n: 1 }, { signal: AbortSignal.abort() })).toEqualTypeOf<TaskRunPromise<"double", number>>();
  expectTypeOf((await tasks.triggerAndPoll<typeof double>("double", { n: 1 })).output).toEqualTypeOf<number | undefined>();
  await wait.for({ seconds: 1, idempotencyKey: "k" });
  // @ts-expect-error: a length of time must be given
  await wait.for({ idempotencyKey: "k" });
  // @ts-expect-error: no Date
  await wait.until({ date: "tomorrow" });
  // @ts-expect-error: no such choice
  task({ id: "c", onWorkerLoss: "ignore", run: async () => {} });
  task({ id: "c", onWorkerLoss: "restart", run: async () => {} });
};

test("what waits, steps and subscriptions are given and give", () => {
  expectTypeOf(checked).returns.resolves.toBeVoid();
});
