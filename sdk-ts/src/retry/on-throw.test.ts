import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AbortTaskRunError } from "../errors/task-errors.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { RetryOptions } from "../task/retry-options.js";
import { retry } from "./retry.js";

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});
afterEach(() => vi.restoreAllMocks());

/** Calls it until it is through; when each call was made, in milliseconds. */
async function times(options: RetryOptions, fn: (attempt: number) => unknown) {
  const start = Date.now();
  const calls: number[] = [];
  const told: object[] = [];
  const result = retry
    .onThrow(async (params) => {
      calls.push(Date.now() - start);
      told.push(params);
      return fn(params.attempt);
    }, options)
    .then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
  await vi.runAllTimersAsync();
  return { calls, told, ...(await result) };
}

const failing = (attempt: number) => {
  throw new Error(`attempt ${attempt}`);
};

describe("retry.onThrow", () => {
  test("returns what the function returns, and says which attempt it is", async () => {
    const { told, ...result } = await times({ maxAttempts: 4 }, (attempt) => (attempt < 3 ? failing(attempt) : "done"));
    expect(result).toMatchObject({ value: "done" });
    expect(told).toEqual([1, 2, 3].map((attempt) => ({ attempt, maxAttempts: 4 })));
  });

  test.each<[string, RetryOptions, number[]]>([
    ["the defaults, but for chance", { randomize: false }, [0, 1_000, 3_000]],
    ["factor and first delay", { randomize: false, maxAttempts: 4, factor: 3, minTimeoutInMs: 100 }, [0, 100, 400, 1_300]],
    ["the longest delay", { randomize: false, maxAttempts: 4, maxTimeoutInMs: 1_500 }, [0, 1_000, 2_500, 4_000]],
    ["no delay", { maxAttempts: 3, minTimeoutInMs: 0 }, [0, 0, 0]],
    ["one attempt", { maxAttempts: 1 }, [0]],
  ])("tries again by its options: %s", async (_, options, calls) => {
    const result = await times(options, failing);
    expect(result.calls).toEqual(calls);
    expect(result).toMatchObject({ error: { message: `attempt ${calls.length}` } });
  });

  test("multiplies delays by 1 to 2, unless told otherwise", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    expect((await times({}, failing)).calls).toEqual([0, 1_500, 4_500]);
  });

  test.each([
    ["AbortTaskRunError", new AbortTaskRunError("no use")],
    ["another copy's AbortTaskRunError", Object.assign(new Error("no use"), { name: "AbortTaskRunError" })],
  ])("throws %s at once", async (_, error) => {
    const result = await times({}, () => {
      throw error;
    });
    expect(result).toMatchObject({ calls: [0], error });
  });

  test("ends its sleep when the run is stopped", async () => {
    const controller = new AbortController();
    const runtime = { signal: controller.signal } as RunRuntime;
    const calls: number[] = [];
    const tried = runRuntimeStorage().run(runtime, () =>
      retry.onThrow(async ({ attempt }) => failing(calls.push(attempt)), { minTimeoutInMs: 60_000 }).catch((error: unknown) => error),
    );
    await vi.advanceTimersByTimeAsync(1_000);
    controller.abort("run cancelled");
    expect(await tried).toMatchObject({ name: "AbortError", message: "run cancelled" });
    expect(calls).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("goes on in a hook of a run that was stopped before", async () => {
    const runtime = { signal: AbortSignal.abort("run cancelled") } as RunRuntime;
    const result = await runRuntimeStorage().run(runtime, () => times({ minTimeoutInMs: 1 }, (attempt) => (attempt === 1 ? failing(1) : "told")));
    expect(result).toMatchObject({ value: "told" });
  });
});
