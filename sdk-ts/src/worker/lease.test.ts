import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lease } from "./lease.js";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => vi.useRealTimers());

function greeted() {
  const ended = vi.fn();
  const lease = new Lease(ended);
  lease.streamOpened();
  lease.greeted();
  return { lease, ended };
}

test("ends half a second early, counted from the sending of the Hello", () => {
  const { lease, ended } = greeted();
  vi.advanceTimersByTime(300);
  lease.welcomed(10_000);
  vi.advanceTimersByTime(9_199);
  expect(ended).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(ended).toHaveBeenCalledOnce();
});

test("is renewed from the sending of a heartbeat, once that is answered", () => {
  const { lease, ended } = greeted();
  lease.welcomed(10_000);
  vi.advanceTimersByTime(5_000);
  const sequence = lease.beat();
  vi.advanceTimersByTime(3_000);
  lease.answered(sequence);
  vi.advanceTimersByTime(6_499);
  expect(ended).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(ended).toHaveBeenCalledOnce();
});

test("is not renewed by heartbeats without an answer, nor by answers to those of another stream", () => {
  const { lease, ended } = greeted();
  lease.welcomed(10_000);
  vi.advanceTimersByTime(5_000);
  const sequence = lease.beat();
  lease.streamOpened();
  lease.greeted();
  lease.answered(sequence);
  vi.advanceTimersByTime(4_500);
  expect(ended).toHaveBeenCalledOnce();
});

test("begins anew with the next Welcome, and ends again", () => {
  const { lease, ended } = greeted();
  lease.welcomed(10_000);
  vi.advanceTimersByTime(20_000);
  expect(ended).toHaveBeenCalledOnce();
  lease.streamOpened();
  lease.greeted();
  lease.welcomed(10_000);
  vi.advanceTimersByTime(9_500);
  expect(ended).toHaveBeenCalledTimes(2);
});

test("of several Hellos without a Welcome, the first counts: it may be the one that was answered", () => {
  const { lease, ended } = greeted();
  vi.advanceTimersByTime(2_000);
  lease.greeted();
  lease.welcomed(10_000);
  vi.advanceTimersByTime(7_500);
  expect(ended).toHaveBeenCalledOnce();
});
