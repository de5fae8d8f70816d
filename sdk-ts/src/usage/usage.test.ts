import { expect, test } from "vitest";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import { usage } from "./usage.js";

const inRun = <T>(runtime: Partial<RunRuntime>, fn: () => T) => runRuntimeStorage().run(runtime as RunRuntime, fn);

test("an attempt is told what it has taken, and the run what its attempts have", () => {
  const { compute, baseCostInCents, totalCostInCents } = inRun({ activeMs: 2_000, earlierActiveMs: 5_000 }, usage.getCurrent);
  expect(compute).toEqual({ attempt: { costInCents: 0, durationMs: 2_000 }, total: { costInCents: 0, durationMs: 7_000 } });
  expect([baseCostInCents, totalCostInCents]).toEqual([0, 0]);
});

test("a function is measured, without its waits", async () => {
  const wait = { waitedMs: 0 };
  const work = async () => {
    const end = performance.now() + 30;
    while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    wait.waitedMs += 20;
    return "done";
  };
  const { result, compute } = await inRun(wait, () => usage.measure(work));
  expect(result).toBe("done");
  expect(compute.durationMs).toBeGreaterThanOrEqual(9);
  expect(compute.costInCents).toBe(0);
  expect((await usage.measure(work)).compute.durationMs).toBeGreaterThanOrEqual(29);
});

test("outside a run nothing was taken", () => {
  const nothing = { costInCents: 0, durationMs: 0 };
  expect(usage.getCurrent().compute).toEqual({ attempt: nothing, total: nothing });
});
