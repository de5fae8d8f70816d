import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Pace } from "./pace.js";

/** What is known at 1,000 ms of runners that have been busy for 10 ms each, and have finished so many attempts together. */
function paceOf({ runners = 1, finished = 0 }): Pace {
  const pace = new Pace();
  for (let runner = 0; runner < runners; runner += 1) pace.runnerBusy(990);
  for (let attempt = 0; attempt < finished; attempt += 1) pace.finished();
  for (let runner = 0; runner < runners; runner += 1) pace.runnerIdle(1_000);
  return pace;
}

describe("attempts of one frame are given to shared runners", () => {
  test("one by one, as long as nothing is known of their pace", () => {
    expect(new Pace().block(100, 1_000)).toBe(1);
  });

  test("one by one, if they take their time: all processors work on the frame", () => {
    expect(paceOf({ finished: 3 }).block(16, 1_000)).toBe(1);
  });

  test("together, if a runner will have done them in 5 ms", () => {
    expect(paceOf({ finished: 200 }).block(100, 1_000)).toBe(100);
  });

  test("in parts, if it will not", () => {
    expect(paceOf({ finished: 100 }).block(100, 1_000)).toBe(50);
    expect(paceOf({ finished: 20 }).block(100, 1_000)).toBe(10);
  });

  test("by what one runner does, however many there are", () => {
    expect(paceOf({ runners: 4, finished: 80 }).block(100, 1_000)).toBe(10);
  });

  test("in blocks of one size, 128 at most", () => {
    expect(paceOf({ finished: 100_000 }).block(129, 1_000)).toBe(65);
    expect(paceOf({ finished: 100_000 }).block(512, 1_000)).toBe(128);
  });

  test("one by one, when a runner has been busy for long with the last ones", () => {
    const pace = paceOf({ finished: 200 });
    expect(pace.block(100, 1_000)).toBe(100);
    pace.runnerBusy(1_001);
    expect(pace.block(100, 1_101)).toBe(1);
  });

  test("by the same pace as long as nothing contradicts it, and one by one after a second's pause", () => {
    const pace = paceOf({ finished: 200 });
    expect(pace.block(100, 1_000)).toBe(100);
    expect(pace.block(100, 1_900)).toBe(100);
    expect(pace.block(100, 2_100)).toBe(1);
  });

  test("at least one, at most the frame, and no more than 5 ms of work, whatever the pace", () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.integer({ min: 1, max: 500 }), (finished, count) => {
        const block = paceOf({ finished }).block(count, 1_000);
        expect(block).toBeGreaterThanOrEqual(1);
        expect(block).toBeLessThanOrEqual(Math.min(count, 128, Math.max(1, finished / 2)));
      }),
    );
  });
});
