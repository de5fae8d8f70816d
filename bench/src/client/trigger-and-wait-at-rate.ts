import type { TaskSystem } from "../systems/task-system.js";
import { atRate, type Rate } from "./at-rate.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers tasks at a rate and waits for their results. Latencies count from the instant at which a call was due, so that what this program is late by is in them. */
export async function triggerAndWaitAtRate(system: TaskSystem, rate: Rate): Promise<Timing> {
  const watch = new Stopwatch();
  await atRate(rate, async (index, dueMs) => {
    await system.complete(index);
    watch.answered(dueMs);
  });
  return watch.stop();
}
