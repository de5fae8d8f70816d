import { expect, test } from "vitest";
import { EngineHarness } from "../testing/engine-harness.js";
import { auditSlots } from "./audit-slots.js";
import { decideCancel } from "./decide-cancel.js";

function busyWorld(): EngineHarness {
  const harness = new EngineHarness();
  const tasks = [{ id: "send", queue: "mails", concurrencyLimit: 2, concurrency: { total: 3 } }, { id: "report" }];
  const worker = harness.connect({ id: "w", slots: 10, tasks });
  harness.trigger("send", 3, { concurrencyKey: "x" });
  harness.trigger("send", 1, { concurrencyKey: "y" });
  const [, stopped] = harness.trigger("report", 2);
  const [first] = worker.accept();
  // Its slot stays with it for the delay; that of a cancelled run until the worker has confirmed.
  worker.fail(first!.token, 5_000);
  harness.step((step) => decideCancel(step, stopped!, "enough"));
  return harness;
}

test("slots are those of attempts, of short delays and of cancelled code that still runs; queued runs hold none", () => {
  const harness = busyWorld();
  expect(harness.run(3).phase).toBe("queued");
  expect(auditSlots(harness.durable)).toEqual({ held: 5, off: 0, faults: [] });
  harness.restart();
  expect(auditSlots(harness.durable)).toEqual({ held: 5, off: 0, faults: [] });
});

test("each running count that errs is named, and by how much all of them do", () => {
  const { durable, environment } = busyWorld();
  const mails = environment.queues.get("mails")!;
  mails.held += 2;
  mails.lanes.get("x")!.held -= 1;
  environment.flow.held += 1;
  environment.flow.limits.get("task/send")!.held = 0;
  const [session] = durable.sessions.values();
  session!.busy -= 1;
  expect(auditSlots(durable)).toEqual({
    held: 5,
    off: 8,
    faults: [
      "session 1 counts 3 attempts, it has 4",
      "environment dev counts 6 slots, its runs hold 5",
      "queue mails counts 5 slots, its runs hold 3",
      "queue mails, key x, counts 1 slots, its runs hold 2",
      "limit task/send counts 0 slots, its runs hold 3",
    ],
  });
});
