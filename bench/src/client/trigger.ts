import { nowMs } from "../clock.js";
import type { TaskSystem } from "../systems/task-system.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks one by one, with `most` calls in flight. Each latency is that of an acknowledgement. */
export async function trigger(system: TaskSystem, count: number, most: number): Promise<Timing> {
  const watch = new Stopwatch();
  await inFlight(count, most, async (index) => {
    const since = nowMs();
    await system.trigger(index);
    watch.answered(since);
  });
  return watch.stop();
}
