import { task } from "@runlane/sdk";
import { nowMs } from "../clock.js";
import type { Order } from "./order.js";

/** Returns the instant at which its code began, on the clock that all processes of the machine share. */
export const stampOrder = task({
  id: "stamp-order",
  run: async (_order: Order) => {
    const startedMs = nowMs();
    return { startedMs };
  },
});
