import { expect, test } from "vitest";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import { usage } from "./usage.js";

const runtimeOf = (startedMsAgo: number, wait: { waitedMs: number }) =>
  ({
    ctx: { attempt: { startedAt: new Date(Date.now() - startedMsAgo) } },
    get waitedMs() {
      return wait.waitedMs;
    },
  }) as Partial<RunRuntime> as RunRuntime;

test("an attempt has taken the time since its start, without its waits", () => {
  const { compute, baseCostInCents, totalCostInCents } = runRuntimeStorage().run(runtimeOf(5_000, { waitedMs: 3_000 }), usage.getCurrent);
  expect(compute.attempt.durationMs).toBeGreaterThanOrEqual(2_000);
  expect(compute.attempt.durationMs).toBeLessThan(5_000);
  expect(compute.total).toEqual(compute.attempt);
  expect([compute.attempt.costInCents, baseCostInCents, totalCostInCents]).toEqual([0, 0, 0]);
});

test("a function is measured, without its waits", async () => {
  const wait = { waitedMs: 0 };
  const work = async () => {
    const end = performance.now() + 30;
    while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    wait.waitedMs += 20;
    return "done";
  };
  const { result, compute } = await runRuntimeStorage().run(runtimeOf(0, wait), () => usage.measure(work));
  expect(result).toBe("done");
  expect(compute.durationMs).toBeGreaterThanOrEqual(9);
  expect(compute.costInCents).toBe(0);
  expect((await usage.measure(work)).compute.durationMs).toBeGreaterThanOrEqual(29);
});

test("outside a run nothing was taken", () => {
  expect(usage.getCurrent().compute.attempt).toEqual({ costInCents: 0, durationMs: 0 });
});
