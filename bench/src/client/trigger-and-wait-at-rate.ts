import { atRate, type Rate } from "./at-rate.js";
import { Stopwatch, type Timing } from "./timing.js";
import { complete } from "./trigger-and-wait.js";

/** Triggers tasks at a rate and waits for their results. Latencies count from the instant at which a call was due, so that what this program is late by is in them. */
export async function triggerAndWaitAtRate(rate: Rate): Promise<Timing> {
  const watch = new Stopwatch();
  await atRate(rate, async (index, dueMs) => {
    await complete(index);
    watch.answered(dueMs);
  });
  return watch.stop();
}
