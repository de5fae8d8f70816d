import { task } from "@runlane/sdk";
import type { Order } from "./order.js";

/** Does nothing, and has a small result. */
export const acceptOrder = task({ id: "accept-order", run: async ({ order }: Order) => ({ order, accepted: true }) });
