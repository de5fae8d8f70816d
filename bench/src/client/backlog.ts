import { NotFoundError, queues } from "@runlane/sdk";
import { nowMs, sleep } from "../clock.js";
import { keyedOrder } from "../tasks/keyed-order.js";
import { makeOrder } from "../tasks/order.js";
import { serialOrder } from "../tasks/serial-order.js";
import { inFlight } from "./in-flight.js";
import { Stopwatch, type Timing } from "./timing.js";

/** Items of a call of `batchTrigger`. */
const batchSize = 500;

/** Calls under way at once, while a backlog is made. */
const batchesInFlight = 8;

/** Triggers `count` runs, from order `first` on, one by one with `most` in flight, whose concurrency keys are `keys` tenants in turn. */
export async function triggerKeyed(first: number, count: number, keys: number, most: number): Promise<Timing> {
  const watch = new Stopwatch();
  await inFlight(count, most, async (index) => {
    const since = nowMs();
    await keyedOrder.trigger(makeOrder(first + index), { concurrencyKey: tenant(first + index, keys) });
    watch.answered(since);
  });
  return watch.stop();
}

/** Triggers `count` runs, from order `first` on, in batches, as fast as they are taken. */
export async function fillBacklog(first: number, count: number, keys: number): Promise<void> {
  await inFlight(Math.ceil(count / batchSize), batchesInFlight, async (batch) => {
    const begin = first + batch * batchSize;
    const length = Math.min(batchSize, first + count - begin);
    const items = Array.from({ length }, (_, index) => ({
      payload: makeOrder(begin + index),
      options: { concurrencyKey: tenant(begin + index, keys) },
    }));
    const { runCount } = await keyedOrder.batchTrigger(items);
    if (runCount !== length) throw new Error(`${length} tasks were triggered, and ${runCount} runs exist`);
  });
}

/** Triggers `count` runs that expire after a second unless they start, in batches, and waits until none of them is queued. */
export async function finishWithoutWorker(count: number): Promise<void> {
  await inFlight(Math.ceil(count / batchSize), batchesInFlight, async (batch) => {
    const length = Math.min(batchSize, count - batch * batchSize);
    const items = Array.from({ length }, (_, index) => ({ payload: makeOrder(batch * batchSize + index), options: { ttl: 1 } }));
    await keyedOrder.batchTrigger(items);
  });
  while ((await queuedOf("keyed-order")) > 0) await sleep(200);
}

/** Triggers `count` runs of a queue whose limit is 1. */
export async function fillSeries(count: number): Promise<void> {
  await inFlight(Math.ceil(count / batchSize), 1, async (batch) => {
    const length = Math.min(batchSize, count - batch * batchSize);
    await serialOrder.batchTrigger(Array.from({ length }, (_, index) => ({ payload: makeOrder(batch * batchSize + index) })));
  });
}

/** Seconds from when fewer than `from` runs are queued until fewer than `to` are, and how many started in between. Waits for the first worker that has the task. */
export async function drain(task: OrderTask, from: number, to: number): Promise<{ seconds: number; runs: number }> {
  const sample = async () => ({ queued: await queuedOf(task), atMs: nowMs() });
  let begin = await sample();
  while (begin.queued >= from) {
    await sleep(5);
    begin = await sample();
  }
  let end = begin;
  while (end.queued >= to && end.queued > 0) {
    await sleep(20);
    end = await sample();
  }
  return { seconds: (end.atMs - begin.atMs) / 1_000, runs: begin.queued - end.queued };
}

type OrderTask = "keyed-order" | "serial-order";

/** Runs in the queue of a task; without end while no worker has told of the task. */
async function queuedOf(name: OrderTask): Promise<number> {
  try {
    const { queued } = await queues.retrieve({ type: "task", name });
    return queued;
  } catch (error) {
    if (error instanceof NotFoundError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function tenant(order: number, keys: number): string {
  return `tenant-${order % keys}`;
}
