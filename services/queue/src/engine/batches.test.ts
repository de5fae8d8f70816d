import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { BatchState } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { describe, expect, it } from "vitest";
import { pictureOf } from "../testing/durable-picture.js";
import { EngineHarness, item, replayed } from "../testing/engine-harness.js";
import { batchRetentionMs, batchSizeCap, sealTimeoutMs } from "./batch-record.js";
import { batchNumberOf } from "./run-id.js";
import { stateOf } from "./view.js";
import { batchMessageOf } from "./view-batch.js";

const items = (count: number) => Array.from({ length: count }, () => item("a"));
const batchOf = (harness: EngineHarness, id: string) => harness.durable.batches.byNumber.get(batchNumberOf(harness.environment, id)!);
const shown = (harness: EngineHarness, id: string) => batchMessageOf(batchOf(harness, id)!);

describe("a batch", () => {
  it("takes parts until one seals it, and is completed with its last run", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const { batch } = harness.batch(items(2));
    expect(shown(harness, batch!.batchId).state).toBe(BatchState.PENDING);
    const last = harness.batch(items(1), { batchId: batch!.batchId, firstIndex: 2, seal: true });
    expect(last.batch).toMatchObject({ batchId: batch!.batchId, runCount: 3, cached: false });
    expect(shown(harness, batch!.batchId).state).toBe(BatchState.PROCESSING);
    const tokens = worker.accept().map(({ token }) => token);
    worker.succeed(tokens[0]!);
    worker.fail(tokens[1]!);
    worker.succeed(tokens[2]!);
    expect(shown(harness, batch!.batchId)).toMatchObject({ state: BatchState.COMPLETED, successfulRunCount: 2, failedRunCount: 1 });
    expect(shown(harness, batch!.batchId).runIds).toHaveLength(3);
  });

  it("answers a part that comes again as before, also when it is sealed", () => {
    const harness = new EngineHarness();
    const { batch, outcomes } = harness.batch(items(3), { seal: true });
    const again = harness.batch(items(2), { batchId: batch!.batchId, firstIndex: 1 });
    expect(again.outcomes).toEqual(outcomes.slice(1));
    expect(harness.durable.runs.size).toBe(3);
  });

  it("takes what is new of a part that overlaps", () => {
    const harness = new EngineHarness();
    const { batch, outcomes } = harness.batch(items(3));
    const overlap = harness.batch(items(3), { batchId: batch!.batchId, firstIndex: 1 });
    expect(overlap.batch?.runCount).toBe(4);
    expect(overlap.outcomes.slice(0, 2)).toEqual(outcomes.slice(1));
    expect(shown(harness, batch!.batchId).runIds).toHaveLength(4);
  });

  it("refuses gaps, too many items, items after its seal, and ids that it is not", () => {
    const harness = new EngineHarness();
    const { batch } = harness.batch(items(1), { seal: true });
    const open = harness.batch(items(1)).batch!.batchId;
    expect(harness.batch(items(1), { batchId: open, firstIndex: 2 }).refused).toBe("INVALID_FIELD");
    expect(harness.batch(items(batchSizeCap + 1)).refused).toBe("BATCH_TOO_LARGE");
    expect(harness.batch(items(1), { batchId: batch!.batchId, firstIndex: 1 }).refused).toBe("BATCH_SEALED");
    expect(harness.batch(items(1), { batchId: "batch_nothing" }).refused).toBe("BATCH_NOT_FOUND");
    expect(harness.durable.batches.byNumber.size).toBe(2);
  });

  it("makes failed runs of items that cannot be triggered", () => {
    const harness = new EngineHarness();
    const { batch, outcomes } = harness.batch([item("a"), item("a", { version: "20200101.1" })], { seal: true });
    const failed = harness.run(outcomes[1]!.run!);
    expect([stateOf(failed), failed.failure?.code]).toEqual([RunState.SYSTEM_FAILURE, "BATCH_ITEM_COULD_NOT_TRIGGER"]);
    expect(shown(harness, batch!.batchId).errors).toMatchObject([{ index: 1, taskId: "a", reason: "VERSION_NOT_FOUND" }]);
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    worker.succeed(worker.accept()[0]!.token);
    expect(shown(harness, batch!.batchId)).toMatchObject({ state: BatchState.PARTIAL_FAILED, successfulRunCount: 1, failedRunCount: 1 });
  });

  it("counts a run that its keys found several times, each time", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const key = item("a", { key: "k" });
    const before = harness.triggerItems([key]);
    const { batch, outcomes } = harness.batch([key, key, item("a", { key: "l" }), item("a", { key: "l" })], { seal: true });
    expect(outcomes.map(({ cached }) => cached)).toEqual([true, true, false, true]);
    expect(outcomes[0]!.run).toBe(before[0]!.run);
    worker.hear(harness.advance(0));
    for (const { token } of worker.accept()) worker.succeed(token);
    expect(shown(harness, batch!.batchId)).toMatchObject({ state: BatchState.COMPLETED, successfulRunCount: 4 });
  });

  it("is found by its key, and its items are left out", () => {
    const harness = new EngineHarness();
    const { batch } = harness.batch(items(2), { idempotencyKey: { key: "k" } });
    expect(harness.batch(items(2), { idempotencyKey: { key: "k" } })).toMatchObject({
      outcomes: [],
      batch: { batchId: batch!.batchId, cached: true, runCount: 2 },
    });
    expect(harness.durable.runs.size).toBe(2);
  });

  it("that nobody seals within 30 minutes is aborted; its runs go on, and its key is free", () => {
    const harness = new EngineHarness();
    const { batch, outcomes } = harness.batch(items(1), { idempotencyKey: { key: "k" } });
    harness.advance(sealTimeoutMs - 1);
    expect(shown(harness, batch!.batchId).state).toBe(BatchState.PENDING);
    harness.advance(1);
    expect(shown(harness, batch!.batchId).state).toBe(BatchState.ABORTED);
    expect(harness.run(outcomes[0]!.run!).phase).toBe("queued");
    expect(harness.batch(items(1), { batchId: batch!.batchId, firstIndex: 1 }).refused).toBe("BATCH_SEALED");
    expect(harness.batch(items(1), { idempotencyKey: { key: "k" } }).batch?.cached).toBe(false);
  });

  it("is forgotten seven days after its end", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const { batch } = harness.batch(items(1), { seal: true });
    worker.hear(harness.advance(0));
    worker.succeed(worker.accept()[0]!.token);
    harness.advance(batchRetentionMs - 1);
    expect(batchOf(harness, batch!.batchId)).toBeDefined();
    harness.advance(1);
    expect(batchOf(harness, batch!.batchId)).toBeUndefined();
    expect(pictureOf(replayed(harness.log))).toEqual(pictureOf(harness.durable));
  });

  it("of a run's code has results for each item, those that could not be triggered too", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["parent", "a"] });
    harness.trigger("parent");
    worker.hear(harness.advance(0));
    const { token } = worker.accept()[0]!;
    const value = { waitId: 1, items: [item("a"), item("a", { version: "20200101.1" })], batch: { seal: true } };
    const frames = worker.send({ commands: [{ token, commandId: 1, command: { case: "triggerAndWait", value } }] });
    expect(frames[0]!.commandOutcomes[0]!.batch?.runCount).toBe(2);
    const [child] = worker.accept();
    expect(child!.settings?.batchId).toBe(frames[0]!.commandOutcomes[0]!.batch?.batchId);
    const resumes = worker.succeed(child!.token).flatMap((frame) => frame.resumes);
    expect(resumes.flatMap(({ results }) => results.map(({ state }) => state))).toEqual([RunState.COMPLETED, RunState.SYSTEM_FAILURE]);
  });
});
