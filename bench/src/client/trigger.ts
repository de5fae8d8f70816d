import { nowMs } from "../clock.js";
import { acceptOrder } from "../tasks/accept-order.js";
import { makeOrder } from "../tasks/order.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks one by one, with `most` calls in flight. Each latency is that of an acknowledgement. */
export async function trigger(count: number, most: number): Promise<Timing> {
  const watch = new Stopwatch();
  await inFlight(count, most, async (index) => {
    const since = nowMs();
    await acceptOrder.trigger(makeOrder(index));
    watch.answered(since);
  });
  return watch.stop();
}
