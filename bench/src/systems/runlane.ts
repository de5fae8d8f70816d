import { runs } from "@runlane/sdk";
import { acceptOrder } from "../tasks/accept-order.js";
import { makeOrder } from "../tasks/order.js";
import { stampOrder } from "../tasks/stamp-order.js";
import type { TaskSystem } from "./task-system.js";

/** Runlane, through its SDK. Address and key come from the environment. */
export const runlane: TaskSystem = {
  async trigger(order) {
    await acceptOrder.trigger(makeOrder(order));
  },
  async batchTrigger(first, count) {
    const items = Array.from({ length: count }, (_, index) => ({ payload: makeOrder(first + index) }));
    const { runCount } = await acceptOrder.batchTrigger(items);
    if (runCount !== count) throw new Error(`${count} tasks were triggered, and ${runCount} runs exist`);
  },
  async complete(order) {
    const result = await acceptOrder.triggerAndWait(makeOrder(order));
    if (!result.ok) throw new Error(`run ${result.id} failed: ${String(result.error)}`);
    if (result.output.order !== order) throw new Error(`run ${result.id} has the result of order ${result.output.order}, not of ${order}`);
  },
  async stamp(order) {
    const { id } = await stampOrder.trigger(makeOrder(order));
    return {
      async startedMs() {
        const run = await runs.poll<typeof stampOrder>(id);
        if (!run.output) throw new Error(`run ${id} is ${run.status}`);
        return run.output.startedMs;
      },
    };
  },
};
