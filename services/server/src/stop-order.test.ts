import { createLogger } from "@runlane/platform";
import { expect, test } from "vitest";
import { StopOrder } from "./stop-order.js";

const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });

test("parts stop in their order, once, and one that fails keeps no other from stopping", async () => {
  const stopped: string[] = [];
  const order = new StopOrder(["first", "never started", "second", "third"], logger);
  order.add("third", () => void stopped.push("third"));
  order.add("second", async () => {
    stopped.push("second");
    throw new Error("no");
  });
  order.add("first", async () => {
    await new Promise((resolve) => setImmediate(resolve));
    stopped.push("first");
  });
  order.add("third", () => void stopped.push("another third"));
  await Promise.all([order.stop(), order.stop()]);
  expect(stopped).toEqual(["first", "second", "third", "another third"]);
});
