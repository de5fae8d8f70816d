import { expect, it } from "vitest";
import { EngineHarness, type HarnessWorker, item } from "../testing/engine-harness.js";
import { decideCancel } from "./decide-cancel.js";
import { finishedRetention } from "./durable.js";
import { runIdOf } from "./run-id.js";

/** Lets an attempt trigger a run, and forgets about it. */
function trigger(worker: HarnessWorker, token: Uint8Array, taskId: string, options: Parameters<typeof item>[1] = {}): void {
  worker.send({ commands: [{ token, commandId: 1, command: { case: "trigger", value: { items: [item(taskId, options)] } } }] });
}

it("a cancel reaches all descendants, also the children of a run that has ended and that memory has forgotten", () => {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", tasks: ["root", "middle", "filler"], slots: 1_010 });
  const [root] = harness.trigger("root");
  worker.hear(harness.advance(0));
  const { token } = worker.accept()[0]!;
  trigger(worker, token, "middle");
  const [middle] = worker.accept();
  trigger(worker, middle!.token, "nobody", { delayMs: 60_000 });
  const leaf = [...harness.durable.runs.values()].find(({ taskId }) => taskId === "nobody");
  worker.succeed(middle!.token);
  for (let ended = 0; ended <= finishedRetention.count; ended += 1_000) {
    harness.trigger("filler", 1_000);
    worker.hear(harness.advance(0));
    for (const each of worker.accept()) worker.succeed(each.token);
  }
  expect(harness.durable.runs.has(leaf!.parent)).toBe(false);
  harness.step((step) => decideCancel(step, root!, "no"));
  expect(leaf!.phase).toBe("canceled");
});

it("a test's children are tests, and an attempt knows what its trigger asked for", () => {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", tasks: ["a", "b"] });
  const asked = item("a", { test: true, key: "hash", concurrencyKey: "tenant", prioritySeconds: 2.5 });
  Object.assign(asked.options!.idempotencyKey!, { displayKey: "order-1", scope: 1 });
  const [first] = harness.triggerItems([item("b")]);
  harness.triggerItems([asked], { replayOf: first!.run! });
  worker.hear(harness.advance(0));
  const [, attempt] = worker.accept();
  expect(attempt!.settings).toMatchObject({
    test: true,
    idempotencyKey: "order-1",
    idempotencyScope: 1,
    concurrencyKey: "tenant",
    prioritySeconds: 2.5,
    replayOfRunId: runIdOf(harness.environment, first!.run!),
  });
  trigger(worker, attempt!.token, "b");
  expect(worker.accept()[0]!.settings?.test).toBe(true);
});
