import { expect, test } from "vitest";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import { RunParams, type RunParamsSource } from "./run-params.js";

function attempt(): { attempt: RunParamsSource; signal: AbortSignal; asked: () => string[] } {
  const { signal } = new AbortController();
  const asked: string[] = [];
  const attempt = {
    ctx: { run: { id: "run_1" } } as TaskRunContext,
    signal,
  };
  const watched = new Proxy(attempt, {
    get(target, name: "ctx" | "signal") {
      asked.push(name);
      return target[name];
    },
  });
  return { attempt: watched, signal, asked: () => asked };
}

test("a task's function finds the context and the signal of its own attempt, also in a copy", () => {
  const [one, other] = [attempt(), attempt()];
  const params = new RunParams(one.attempt, {});
  const others = new RunParams(other.attempt, {});
  expect(params.ctx).toBe(one.attempt.ctx);
  expect(params.signal).toBe(one.signal);
  expect({ ...others }.signal).toBe(other.signal);
});

test("what code does not look at is not made", () => {
  const { attempt: one, asked } = attempt();
  const { ctx } = new RunParams(one, {});
  expect(ctx.run.id).toBe("run_1");
  expect(asked()).toEqual(["ctx"]);
});
