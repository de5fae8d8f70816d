import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ActiveTimes } from "./active-times.js";

const exceeded = vi.fn();
let times: ActiveTimes;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  exceeded.mockClear();
  times = new ActiveTimes(exceeded);
});
afterEach(() => vi.useRealTimers());

test("an attempt that was active for as long as it may is told of, once", () => {
  times.add("a", 5);
  times.start("a");
  vi.advanceTimersByTime(4_999);
  expect(exceeded).not.toHaveBeenCalled();
  vi.advanceTimersByTime(60_000);
  expect(exceeded.mock.calls).toEqual([["a", 5]]);
});

test("its clock stands until it starts, and while it waits", () => {
  times.add("a", 5);
  vi.advanceTimersByTime(10_000);
  times.start("a");
  vi.advanceTimersByTime(3_000);
  times.stop("a");
  vi.advanceTimersByTime(3_600_000);
  times.start("a");
  vi.advanceTimersByTime(1_999);
  expect(exceeded).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(exceeded).toHaveBeenCalledOnce();
});

test("one that has ended is not told of", () => {
  times.add("a", 5);
  times.start("a");
  times.remove("a");
  vi.advanceTimersByTime(60_000);
  expect(exceeded).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test("one without a limit has no clock and no timer", () => {
  times.start("a");
  times.stop("a");
  expect(vi.getTimerCount()).toBe(0);
  expect(times.limit("a")).toBeUndefined();
});

test("a limit may be longer than a timer of Node", () => {
  times.add("a", 30 * 24 * 3_600);
  times.start("a");
  vi.advanceTimersByTime(30 * 24 * 3_600_000 - 1);
  expect(exceeded).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(exceeded).toHaveBeenCalledOnce();
});
