import { task } from "@runlane/sdk";
import type { Order } from "./order.js";

/** As `accept-order`; triggered with a concurrency key for each tenant, of which there are many. */
export const keyedOrder = task({
  id: "keyed-order",
  queue: { concurrencyLimit: 10 },
  run: async ({ order }: Order) => ({ order, accepted: true }),
});
