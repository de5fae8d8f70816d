import { afterEach, expect, test, vi } from "vitest";
import { logger } from "./logger.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test.each(["debug", "log", "info", "warn", "error"] as const)("outside a run, %s goes to the console", (level) => {
  const printed = vi.spyOn(console, level).mockImplementation(() => {});
  logger[level]("hello");
  logger[level]("hello", { to: "you" });
  expect(printed.mock.calls).toEqual([["hello"], ["hello", { to: "you" }]]);
});
