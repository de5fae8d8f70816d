import { task } from "@runlane/sdk";
import { expect, onTestFinished, test } from "vitest";
import { createTestPlatform } from "./index.js";

test("hooks are called as a worker calls them, and listed with their attempt", async () => {
  const told: unknown[] = [];
  const hooked = task({
    id: "kit-hooked",
    retry: { maxAttempts: 2 },
    init: async () => ({ bank: "open" }),
    onStart: async () => {},
    onStartAttempt: async () => {},
    catchError: async () => ({ retryDelayInMs: 86_400_000 }),
    onSuccess: async ({ output }) => void told.push(output),
    onFailure: async () => {},
    onComplete: async () => {},
    cleanup: async () => {},
    run: async (_: undefined, { ctx, init }) => {
      if (ctx.attempt.number === 1) throw new Error("closed");
      return init?.bank;
    },
  });
  const platform = await createTestPlatform({ now: 0 });
  onTestFinished(() => platform.close());
  const run = await platform.run(hooked);
  expect(run).toMatchObject({ status: "COMPLETED", output: "open" });
  expect(platform.attempts(run).map(({ hooks }) => hooks)).toEqual([
    ["init", "onStart", "onStartAttempt", "catchError", "cleanup"],
    ["init", "onStartAttempt", "onSuccess", "onComplete", "cleanup"],
  ]);
  expect(told).toEqual(["open"]);
  expect(platform.now.getTime()).toBeGreaterThanOrEqual(86_400_000);
});
