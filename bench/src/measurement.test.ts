import { expect, test } from "vitest";
import { type Figure, jsonLine, medianFigure } from "./measurement.js";

const figure = (value: number, note = ""): Figure => ({ metric: "latency", value, unit: "ms", p50: value, p99: 10 * value, n: 1_000, note });

test("the median of several runs is told with their range, and with what the run in the middle had to say", () => {
  const found = medianFigure([figure(3, "slow"), figure(1, "fast"), figure(2, "middling")]);
  expect(found).toEqual({ ...figure(2), note: "middling; median of 3 runs, 1 to 3" });
});

test("p50 and p99 have medians of their own", () => {
  const found = medianFigure([figure(1), { ...figure(2), p99: 500 }, figure(3)]);
  expect(found.p99).toBe(30);
});

test("one run is its own median", () => expect(medianFigure([figure(7, "once")])).toEqual(figure(7, "once")));

test("a line of JSON has every key, and no more digits than mean something", () => {
  const throughput: Figure = { metric: "throughput", value: 12_345.678, unit: "runs/s", n: 50_000, note: "" };
  expect(JSON.parse(jsonLine({ ...throughput, workload: "e2e", system: "runlane", sync: "always", shape: "one" }))).toEqual({
    workload: "e2e",
    metric: "throughput",
    value: 12_346,
    unit: "runs/s",
    p50_ms: null,
    p99_ms: null,
    n: 50_000,
    sync: "always",
    shape: "one",
    note: "",
    system: "runlane",
  });
  expect(jsonLine({ ...figure(1.234567), workload: "ack", system: "runlane", sync: "lazy", shape: "one" })).toContain('"p50_ms":1.235,"p99_ms":12.35,');
});
