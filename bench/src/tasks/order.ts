/** The payload of all runs: an order, as a shop might send it to a task. */
export interface Order {
  order: number;
  customer: { id: string; name: string; email: string };
  items: { sku: string; count: number; cents: number }[];
  express: boolean;
}

/** Makes an order that is about 205 bytes of JSON. */
export function makeOrder(number: number): Order {
  const digits = String(number).padStart(7, "0");
  return {
    order: number,
    customer: { id: `cus_${digits}`, name: "Ada Lovelace", email: `ada.${digits}@example.com` },
    items: [
      { sku: "KTL-42", count: 1, cents: 3_990 },
      { sku: "CUP-07", count: 4, cents: 850 },
    ],
    express: number % 2 === 0,
  };
}
