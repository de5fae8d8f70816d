import { step, task, wait } from "@runlane/sdk";
import { expect, test } from "vitest";
import { createTestPlatform } from "./index.js";

const patient = task({
  id: "kit-patient",
  run: async (until: string) => {
    const first = await step("first", () => "once");
    await wait.for({ seconds: 2 });
    await wait.for({ days: 30 });
    await Promise.all([wait.until({ date: new Date(until) }), wait.for({ hours: 1 })]);
    return first;
  },
});

test("waits for a time take none: virtual time jumps to their ends", async () => {
  await using platform = await createTestPlatform({ now: "2030-01-01T00:00:00Z" });
  const run = await platform.run(patient, "2030-06-01T00:00:00Z");
  expect(run).toMatchObject({ status: "COMPLETED", output: "once", attemptCount: 1 });
  expect(run.finishedAt?.toISOString()).toMatch(/^2030-06-01T00:00:00/);
});
