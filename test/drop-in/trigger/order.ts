import { schemaTask } from "@trigger.dev/sdk";
import { z } from "zod";

const Order = z.object({
  id: z.string(),
  placedAt: z.coerce.date(),
  currency: z.string().default("EUR"),
  items: z.array(z.object({ sku: z.string(), price: z.number(), quantity: z.number().int().positive() })).min(1),
});

export const priceOrder = schemaTask({
  id: "price-order",
  schema: Order,
  run: async (order) => ({
    year: order.placedAt.getUTCFullYear(),
    total: order.items.reduce((sum, { price, quantity }) => sum + price * quantity, 0),
    currency: order.currency,
  }),
});
