import { expect, test } from "vitest";
import { barOf, ratios } from "./bars.js";
import { workloads } from "./workloads/index.js";

const figure = { metric: "", n: 1, note: "" };

test("twice the rate is twice as good", () => expect(ratios({ ...figure, value: 60_000, unit: "runs/s" }, { value: 30_000 })).toEqual([2]));

test("half the time or memory is twice as good", () => {
  expect(ratios({ ...figure, value: 0.75, unit: "s" }, { value: 1.5 })).toEqual([2]);
  expect(ratios({ ...figure, value: 125, unit: "MB" }, { value: 250 })).toEqual([2]);
});

test("latencies have a ratio for p50 and one for p99", () => {
  expect(ratios({ ...figure, value: 1, unit: "ms", p50: 1, p99: 32 }, { p50: 2, p99: 8 })).toEqual([2, 0.25]);
});

test("every metric of every workload has a bar, with and without a write to disk for each acknowledgement", () => {
  for (const sync of ["always", "lazy"] as const) {
    for (const { name, metrics } of workloads)
      for (const metric of metrics) expect(barOf({ system: "runlane", workload: name, metric, sync, shape: "one" }), `${name} ${metric}`).toBeDefined();
  }
});

test("three processes have bars of their own, except for what they use at rest and for queues", () => {
  const without = workloads.flatMap(({ name, metrics }) =>
    metrics.filter((metric) => !barOf({ system: "runlane", workload: name, metric, sync: "always", shape: "three" })).map((metric) => `${name} ${metric}`),
  );
  expect(without).toEqual([
    "idle cpu",
    "idle memory",
    "series throughput",
    "backlog memory_per_run",
    "backlog enqueue_with_backlog",
    "backlog dispatch_with_backlog",
    "backlog restart",
    "finished restart",
  ]);
});
