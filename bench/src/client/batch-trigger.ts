import { nowMs } from "../clock.js";
import { acceptOrder } from "../tasks/accept-order.js";
import { makeOrder } from "../tasks/order.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks in batches of `size`, one batch after the other. Each latency is that of a batch's acknowledgement. */
export async function batchTrigger(count: number, size: number): Promise<Timing> {
  const watch = new Stopwatch();
  for (let first = 0; first < count; first += size) {
    const items = Array.from({ length: Math.min(size, count - first) }, (_, index) => ({ payload: makeOrder(first + index) }));
    const since = nowMs();
    const { runCount } = await acceptOrder.batchTrigger(items);
    watch.answered(since);
    if (runCount !== items.length) throw new Error(`${items.length} tasks were triggered, and ${runCount} runs exist`);
  }
  return watch.stop();
}
