import { expect, test } from "vitest";
import { Wake } from "./wake.js";

const long = 60_000;

test("news ends the sleep, and news while awake the next one, once", async () => {
  const wake = new Wake();
  const asleep = wake.after(long);
  wake.now();
  await asleep;
  wake.now();
  wake.now();
  await wake.after(long);
  const since = performance.now();
  await wake.after(20);
  expect(performance.now() - since).toBeGreaterThan(15);
});

test("after an abort or a stop nobody sleeps", async () => {
  const abort = new AbortController();
  const wake = new Wake(abort.signal);
  const asleep = wake.after(long);
  abort.abort();
  await asleep;
  await wake.after(long);
  await wake.after(long);
  const stopped = new Wake();
  stopped.stop();
  await stopped.after(long);
});
