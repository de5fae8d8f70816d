import { expect, test } from "vitest";
import { createBackoff } from "./backoff.js";

test("bounds grow by half, up to the longest, and start again after a reset", () => {
  const backoff = createBackoff({ firstMs: 100, mostMs: 200, random: () => 1 });
  expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 150, 200, 200]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test("a delay is anything from zero to its bound", () => {
  expect(createBackoff({ random: () => 0 }).next()).toBe(0);
  expect(createBackoff({ random: () => 0.5 }).next()).toBe(25);
});
