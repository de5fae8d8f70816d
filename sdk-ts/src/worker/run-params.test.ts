import { expect, test } from "vitest";
import type { Attempt } from "./attempt.js";
import { RunParams } from "./run-params.js";

function attempt(): { attempt: Attempt; signal: AbortSignal; asked: () => number } {
  const { signal } = new AbortController();
  let asked = 0;
  const attempt = {
    ctx: { run: { id: "run_1" } },
    get signal() {
      asked += 1;
      return signal;
    },
  };
  return { attempt: attempt as unknown as Attempt, signal, asked: () => asked };
}

test("a task's function finds the context and the signal of its own attempt, also in a copy", () => {
  const [one, other] = [attempt(), attempt()];
  const params = new RunParams(one.attempt);
  const others = new RunParams(other.attempt);
  expect(params.ctx).toBe(one.attempt.ctx);
  expect(params.signal).toBe(one.signal);
  expect({ ...others }.signal).toBe(other.signal);
});

test("the signal is not made for code that does not look at it", () => {
  const { attempt: one, asked } = attempt();
  const { ctx } = new RunParams(one);
  expect(ctx.run.id).toBe("run_1");
  expect(asked()).toBe(0);
});
