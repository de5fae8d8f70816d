import { expect, test, vi } from "vitest";
import { Readiness } from "./readiness.js";

test("a process without conditions is ready", () => {
  expect(new Readiness().ready()).toBe(true);
  expect(new Readiness().reasons()).toEqual([]);
});

test("is ready while all conditions hold, and says which do not", () => {
  const readiness = new Readiness();
  readiness.set("nats", true);
  readiness.set("owner", false, "nobody owns partition 0");
  readiness.set("draining", false);
  expect(readiness.ready()).toBe(false);
  expect(readiness.reasons()).toEqual(["owner: nobody owns partition 0", "draining: not ready"]);
  readiness.set("owner", true);
  readiness.set("draining", true);
  expect(readiness.ready()).toBe(true);
});

test("tells of changes of the whole, and of nothing else, until it is told to stop", () => {
  const readiness = new Readiness();
  const heard = vi.fn();
  const stop = readiness.onChange(heard);
  readiness.set("nats", false);
  readiness.set("owner", false);
  readiness.set("nats", true);
  readiness.set("owner", true);
  expect(heard.mock.calls).toEqual([[false], [true]]);
  stop();
  readiness.set("owner", false);
  expect(heard).toHaveBeenCalledTimes(2);
});
