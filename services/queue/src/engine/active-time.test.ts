import { expect, test } from "vitest";
import { EngineHarness } from "../testing/engine-harness.js";
import { tokenOf } from "./token.js";

test("an attempt is told how long those before it were active, as far as their workers said so, also after a restart", () => {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", tasks: ["a"] });
  const [run] = harness.trigger("a", 1, { maxAttempts: 6 });
  worker.hear(harness.advance(0));
  for (const activeMs of [1_500n, undefined, 2_000n, 366n * 86_400_000n + 1n]) worker.fail(tokenOf(run!), 0, activeMs);
  worker.fail(tokenOf(run!), 1_000, 3n);
  harness.restart();
  const again = harness.connect({ id: "w", incarnation: 2, tasks: ["a"] });
  again.hear(harness.advance(1_000));
  const told = [...worker.assignments, ...again.assignments].map(({ settings }) => Number(settings?.earlierActiveMs ?? 0));
  expect(told).toEqual([0, 1_500, 1_500, 3_500, 3_500, 3_503]);
});
