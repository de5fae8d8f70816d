import { nowMs } from "../clock.js";
import { acceptOrder } from "../tasks/accept-order.js";
import { makeOrder } from "../tasks/order.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Triggers `count` tasks and waits for their results, with `most` runs in flight. */
export async function triggerAndWait(count: number, most: number): Promise<Timing> {
  const watch = new Stopwatch();
  await inFlight(count, most, async (index) => {
    const since = nowMs();
    await complete(index);
    watch.answered(since);
  });
  return watch.stop();
}

/** Triggers one task and waits for its result, which must be the right one. */
export async function complete(index: number): Promise<void> {
  const result = await acceptOrder.triggerAndWait(makeOrder(index));
  if (!result.ok) throw new Error(`run ${result.id} failed: ${String(result.error)}`);
  if (result.output.order !== index) throw new Error(`run ${result.id} has the result of order ${result.output.order}, not of ${index}`);
}
