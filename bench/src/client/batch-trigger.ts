import { nowMs } from "../clock.js";
import type { TaskSystem } from "../systems/task-system.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks in batches of `size`, one batch after the other. Each latency is that of a batch's acknowledgement. */
export async function batchTrigger(system: TaskSystem, count: number, size: number): Promise<Timing> {
  const watch = new Stopwatch();
  for (let first = 0; first < count; first += size) {
    const since = nowMs();
    await system.batchTrigger(first, Math.min(size, count - first));
    watch.answered(since);
  }
  return watch.stop();
}
