import { task } from "@runlane/sdk";
import type { Order } from "./order.js";

/** As `accept-order`, one at a time. */
export const serialOrder = task({ id: "serial-order", queue: { concurrencyLimit: 1 }, run: async ({ order }: Order) => ({ order, accepted: true }) });
