import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@runlane/sdk";
import { nowMs } from "../clock.js";

/** Writes a line into `diary` whenever it starts: number of the attempt, and the instant on the clock that all processes share. Then takes a minute. */
export const longHaul = task({
  id: "long-haul",
  run: async ({ diary }: { diary: string }, { ctx, signal }) => {
    appendFileSync(diary, `${ctx.attempt.number} ${nowMs()}\n`);
    await sleep(60_000, undefined, { signal });
  },
});
