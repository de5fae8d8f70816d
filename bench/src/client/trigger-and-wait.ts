import { nowMs } from "../clock.js";
import type { TaskSystem } from "../systems/task-system.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks and waits for their results, with `most` runs in flight. */
export async function triggerAndWait(system: TaskSystem, count: number, most: number): Promise<Timing> {
  const watch = new Stopwatch();
  await inFlight(count, most, async (index) => {
    const since = nowMs();
    await system.complete(index);
    watch.answered(since);
  });
  return watch.stop();
}
