import { type JobsOptions, Queue, QueueEvents } from "bullmq";
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
/**
 * Events that Redis keeps for those who listen. BullMQ's default, 10,000, is less than what 5,000 jobs in flight bring about: whoever reads too late misses the end of a job and
 * waits for ever.
 */
const keptEvents = 1_000_000;

/** BullMQ: a queue, and queue events for results. One listener for all jobs: `job.waitUntilFinished`, a listener and another question to Redis for each, is slower. */
export function bullmq(port: number): TaskSystem {
  const connection = { host: "127.0.0.1", port };
  const queue = new Queue(bullmqQueue, { connection, defaultJobOptions: options, streams: { events: { maxLen: keptEvents } } });
  // From the first event on: with the default, those between connecting and the first reading are missed.
  const events = new QueueEvents(bullmqQueue, { connection, lastEventId: "0" });
  const waiting = new Map<string, { done: (result: unknown) => void; failed: (error: Error) => void }>();
  events.on("completed", ({ jobId, returnvalue }) => settle(jobId)?.done(returnvalue));
  events.on("failed", ({ jobId, failedReason }) => settle(jobId)?.failed(new Error(`job ${jobId} failed: ${failedReason}`)));
  const ready = events.waitUntilReady();
  const settle = (jobId: string) => {
    const waiter = waiting.get(jobId);
    waiting.delete(jobId);
    return waiter;
  };
  let jobs = 0;
  /** Adds a job under an id of its own, so that its end cannot come before somebody waits for it. Resolves when it is added, to what resolves when it has ended. */
  const begin = async <T>(name: keyof typeof bullmqTasks, order: number): Promise<{ result: Promise<T> }> => {
    await ready;
    jobs += 1;
    const jobId = `job-${jobs}`;
    const result = new Promise<T>((done, failed) => waiting.set(jobId, { done: done as (result: unknown) => void, failed }));
    await queue.add(name, makeOrder(order), { jobId });
    return { result };
  };
  return {
    async trigger(order) {
      await queue.add("accept-order", makeOrder(order));
    },
    async batchTrigger(first, count) {
      const added = await queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: "accept-order", data: makeOrder(first + index) })));
      if (added.length !== count) throw new Error(`${count} jobs were added, and ${added.length} exist`);
    },
    async complete(order) {
      const { result } = await begin<{ order: number }>("accept-order", order);
      const { order: answered } = await result;
      if (answered !== order) throw new Error(`a job has the result of order ${answered}, not of ${order}`);
    },
    async stamp(order) {
      const { result } = await begin<{ startedMs: number }>("stamp-order", order);
      return { startedMs: async () => (await result).startedMs };
    },
  };
}
