import { nowMs } from "../clock.js";
import type { TaskSystem } from "../systems/task-system.js";
import { atRate, type Rate } from "./at-rate.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers tasks at a rate. Each latency is the time from a call to the start of the task's code, which the run's output tells; it is asked for when all is over. */
export async function triggerAtRate(system: TaskSystem, rate: Rate): Promise<Timing> {
  const triggered: { startedMs(): Promise<number>; since: number }[] = [];
  await atRate(rate, async (index) => {
    const since = nowMs();
    triggered.push({ ...(await system.stamp(index)), since });
  });
  const watch = new Stopwatch();
  await inFlight(triggered.length, 32, async (index) => {
    const { startedMs, since } = triggered[index]!;
    watch.took((await startedMs()) - since);
  });
  return { ...watch.stop(), seconds: rate.seconds };
}
