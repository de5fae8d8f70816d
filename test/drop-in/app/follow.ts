import { configure, type RealtimeRun, runs, tasks } from "@trigger.dev/sdk";
import type { charge } from "../trigger/charge";
import type { priceOrder } from "../trigger/order";

/** Starts a run and follows it to its end. */
export async function follow(): Promise<number | undefined> {
  const handle = await tasks.trigger<typeof charge>("charge", { card: "valid", failures: 1 }, { maxAttempts: 5 });
  for await (const run of runs.subscribeToRun<typeof charge>(handle.id)) {
    show(run);
    if (run.isCompleted) break;
  }
  const { output, status } = await runs.retrieve(handle);
  return status === "COMPLETED" ? output?.attempts : undefined;
}

function show(run: RealtimeRun<typeof charge>): void {
  console.log(run.id, run.status, run.payload.card.length, run.output?.charged);
}

/** The total of an order, whose date may be a text. */
export async function price(placedAt: string): Promise<number | undefined> {
  const handle = await tasks.trigger<typeof priceOrder>("price-order", { id: "1", placedAt, items: [{ sku: "a", price: 2, quantity: 3 }] });
  const run = await runs.poll(handle, { pollIntervalMs: 100 });
  return run.output?.total;
}

/** Ids of the runs that failed today. */
export async function failures(): Promise<string[]> {
  const ids: string[] = [];
  for await (const run of runs.list({ status: ["FAILED", "CRASHED"], taskIdentifier: ["charge"], period: "1d", limit: 50 })) ids.push(run.id);
  const page = await runs.list({ limit: 10 });
  if (page.hasNextPage()) for (const run of (await page.getNextPage()).data) ids.push(run.id);
  return ids;
}

/** Stops what still runs. */
export async function stopAll(ids: string[]): Promise<void> {
  configure({ secretKey: process.env.TRIGGER_SECRET_KEY });
  await Promise.all(ids.map((id) => runs.cancel(id)));
}
