import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CutOffs } from "./cut-offs.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Cut-offs, and the attempts that they have cut off. */
function watched() {
  const cutOffs = new CutOffs();
  const cut: string[] = [];
  return { cutOffs, cut, start: (key: string) => cutOffs.start(key, () => cut.push(key)) };
}

test("code that does not end is cut off after a second, once", () => {
  const { start, cut } = watched();
  start("a");
  vi.advanceTimersByTime(999);
  expect(cut).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(cut).toEqual(["a"]);
});

test("code that has ended is not", () => {
  const { cutOffs, start, cut } = watched();
  start("a");
  cutOffs.ended("a");
  cutOffs.grant("a", 5_000);
  vi.advanceTimersByTime(60_000);
  expect(cut).toEqual([]);
});

test("hooks have the time that is granted, and the code one second after them", () => {
  const { cutOffs, start, cut } = watched();
  start("a");
  cutOffs.grant("a", 30_000);
  vi.advanceTimersByTime(20_000);
  cutOffs.grant("a", 1_000);
  vi.advanceTimersByTime(999);
  expect(cut).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(cut).toEqual(["a"]);
});

test("nobody goes on for more than 31 seconds, however often time is granted", () => {
  const { cutOffs, start, cut } = watched();
  start("a");
  for (let second = 0; second < 31; second += 1) {
    cutOffs.grant("a", 30_000);
    expect(cut).toEqual([]);
    vi.advanceTimersByTime(1_000);
  }
  expect(cut).toEqual(["a"]);
});
