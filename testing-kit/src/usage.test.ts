import { runs, task, usage } from "@runlane/sdk";
import { expect, test } from "vitest";
import { createTestPlatform } from "./index.js";

const lazy = task({ id: "usage-lazy", run: async () => "at last" });
/** Attempt and run, in seconds: the owner's times are rounded up by a millisecond. */
const seen: [number, number][] = [];
let goOn = () => {};
/** Is active until the test says so, then waits for another run; fails twice. */
const measured = task({
  id: "usage-measured",
  retry: { minTimeoutInMs: 60_000, factor: 1, randomize: false },
  run: async (_: undefined, { ctx }) => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await lazy.triggerAndWait(undefined, { delay: "1h" });
    const { attempt, total } = usage.getCurrent().compute;
    seen.push([Math.round(attempt.durationMs / 1_000), Math.round(total.durationMs / 1_000)]);
    if (ctx.attempt.number < 3) throw new Error("again");
  },
});

test("usage counts the active time of all attempts of a run, and no waits", async () => {
  const platform = await createTestPlatform({ patienceInMs: 20 });
  try {
    const handle = await measured.trigger(undefined);
    for (const seconds of [10, 20, 30]) {
      await platform.advance(`${seconds}s`);
      goOn();
      await platform.advance(3_600_010);
      await platform.advance(60_010);
    }
    expect(await runs.retrieve(handle)).toMatchObject({ status: "COMPLETED", attemptCount: 3 });
    expect(seen).toEqual([
      [10, 10],
      [20, 30],
      [30, 60],
    ]);
  } finally {
    await platform.close();
  }
});
