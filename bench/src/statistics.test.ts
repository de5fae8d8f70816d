import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, percentile, summarize } from "./statistics.js";

describe("percentile", () => {
  test("is the nearest rank: a value that occurred", () => {
    const values = [15, 20, 35, 40, 50];
    expect([0.05, 0.3, 0.4, 0.5, 1].map((part) => percentile(values, part))).toEqual([15, 20, 20, 35, 50]);
  });

  test("p99 of a hundred values is the second largest, of fewer the largest", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred.slice(50), 0.99)).toBe(50);
  });

  test("of no values is not a number", () => expect(percentile([], 0.5)).toBeNaN());

  test("leaves at least its part of the values at or below it, and would not if it were any smaller", () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (list, part) => {
        const found = percentile(list, part);
        expect(list).toContain(found);
        expect(list.filter((value) => value <= found).length).toBeGreaterThanOrEqual(part * list.length);
        expect(list.filter((value) => value < found).length).toBeLessThan(part * list.length);
      }),
    );
  });
});

describe("median", () => {
  test("is the value in the middle, by size and not by place", () => expect(median([9, 1, 100])).toBe(9));
  test("is the mean of the two in the middle", () => expect(median([4, 1, 3, 2])).toBe(2.5));
  test("of no values is not a number", () => expect(median([])).toBeNaN());
});

test("a summary counts, and leaves the values as they were", () => {
  const latencies = [3, 1, 2];
  expect(summarize(latencies)).toEqual({ n: 3, p50: 2, p99: 3 });
  expect(latencies).toEqual([3, 1, 2]);
});
