import { runs } from "@runlane/sdk";
import { nowMs } from "../clock.js";
import { makeOrder } from "../tasks/order.js";
import { stampOrder } from "../tasks/stamp-order.js";
import { atRate, type Rate } from "./at-rate.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers tasks at a rate. Each latency is the time from a call to the start of the task's code, which the run's output tells; it is asked for when all is over. */
export async function triggerAtRate(rate: Rate): Promise<Timing> {
  const triggered: { id: string; since: number }[] = [];
  await atRate(rate, async (index) => {
    const since = nowMs();
    const { id } = await stampOrder.trigger(makeOrder(index));
    triggered.push({ id, since });
  });
  const watch = new Stopwatch();
  await inFlight(triggered.length, 32, async (index) => {
    const { id, since } = triggered[index]!;
    const run = await runs.poll<typeof stampOrder>(id);
    if (!run.output) throw new Error(`run ${id} is ${run.status}`);
    watch.took(run.output.startedMs - since);
  });
  return { ...watch.stop(), seconds: rate.seconds };
}
