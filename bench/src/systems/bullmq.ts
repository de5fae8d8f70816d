import { type Job, type JobsOptions, Queue, QueueEvents } from "bullmq";
import { nowMs } from "../clock.js";
import { makeOrder, type Order } from "../tasks/order.js";
import type { TaskSystem } from "./task-system.js";

/** What the worker does, by name of a job. */
export const bullmqTasks = {
  "accept-order": ({ order }: Order) => ({ order, accepted: true }),
  "stamp-order": (_order: Order) => ({ startedMs: nowMs() }),
} as const;

/** Name of the queue. */
export const bullmqQueue = "orders";

// What Runlane's tasks have by default. Neither is used: no job fails.
const options: JobsOptions = { attempts: 3, backoff: { type: "exponential", delay: 1_000 } };

/** BullMQ, as its documentation shows it: a queue, and queue events for results. */
export function bullmq(port: number): TaskSystem {
  const connection = { host: "127.0.0.1", port };
  const queue = new Queue(bullmqQueue, { connection, defaultJobOptions: options });
  const events = new QueueEvents(bullmqQueue, { connection });
  // Each waiting job listens to the same events.
  events.setMaxListeners(0);
  const ready = events.waitUntilReady();
  const add = async (name: keyof typeof bullmqTasks, order: number): Promise<Job> => {
    await ready;
    return await queue.add(name, makeOrder(order));
  };
  return {
    async trigger(order) {
      await add("accept-order", order);
    },
    async batchTrigger(first, count) {
      const jobs = await queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: "accept-order", data: makeOrder(first + index) })));
      if (jobs.length !== count) throw new Error(`${count} jobs were added, and ${jobs.length} exist`);
    },
    async complete(order) {
      const job = await add("accept-order", order);
      const result: { order: number } = await job.waitUntilFinished(events);
      if (result.order !== order) throw new Error(`job ${job.id} has the result of order ${result.order}, not of ${order}`);
    },
    async stamp(order) {
      const job = await add("stamp-order", order);
      return {
        async startedMs() {
          const result: { startedMs: number } = await job.waitUntilFinished(events);
          return result.startedMs;
        },
      };
    },
  };
}
