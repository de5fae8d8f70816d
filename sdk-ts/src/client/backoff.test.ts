import { expect, test } from "vitest";
import { createBackoff } from "./backoff.js";

test("bounds grow slowly, up to the longest, and start again after a reset", () => {
  const backoff = createBackoff({ firstMs: 100, mostMs: 120, random: () => 1 });
  expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()].map(Math.round)).toEqual([100, 115, 120, 120]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test("a delay is anything from zero to its bound", () => {
  expect(createBackoff({ random: () => 0 }).next()).toBe(0);
  expect(createBackoff({ random: () => 0.5 }).next()).toBe(25);
});
