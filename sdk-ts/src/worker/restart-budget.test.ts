import { expect, test } from "vitest";
import { RestartBudget } from "./restart-budget.js";

test("ten restarts are granted at once, then one each three seconds", () => {
  let now = 0;
  const budget = new RestartBudget(() => now);
  for (let restart = 0; restart < 10; restart += 1) expect(budget.delayMs()).toBe(0);
  expect(budget.delayMs()).toBe(3_000);
  now += 3_000;
  expect(budget.delayMs()).toBe(3_000);
  now += 60_000;
  expect(budget.delayMs()).toBe(0);
});
