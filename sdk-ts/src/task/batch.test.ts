import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { BatchState } from "#gen/runlane/v1/run_service_pb.js";
import { BatchTriggerError, batch, idempotencyKeys, NotFoundError, schemaTask, task, tasks } from "../index.js";
import type { FakeRunService } from "../testing/fake-run-service.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";

const double = task({ id: "double", run: async (payload: { n: number }) => ({ n: payload.n * 2 }) });
const shout = task({ id: "shout", run: async (payload: string) => payload.toUpperCase() });
const strict = schemaTask({ id: "strict", schema: z.object({ n: z.number() }), run: async () => {} });

let service: FakeRunService;
const server = serveRuns((made) => {
  service = made;
});

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ payload: { n } }));
const optionsOf = (runId: string) => service.runs.get(runId)!.item.options;

describe("a batch", () => {
  test("is triggered in one frame, sealed, in the order of its items", async () => {
    const handle = await double.batchTrigger([{ payload: { n: 1 } }, { payload: { n: 2 }, options: { maxAttempts: 1 } }]);
    expect(handle).toEqual({
      batchId: "batch_1",
      runCount: 2,
      isCached: false,
      runs: [
        { id: "run_1", taskIdentifier: "double", isCached: false },
        { id: "run_2", taskIdentifier: "double", isCached: false },
      ],
    });
    expect(service.frames).toHaveLength(1);
    expect(service.batches.get("batch_1")).toEqual({ runIds: ["run_1", "run_2"], sealed: true });
    expect(optionsOf("run_2")).toMatchObject({ maxAttempts: 1 });
  });

  test("may be an async iterable or a stream", async () => {
    async function* items() {
      yield* numbers(2);
    }
    expect((await double.batchTrigger(items())).runCount).toBe(2);
    expect((await tasks.batchTrigger<typeof double>("double", ReadableStream.from(items()))).runCount).toBe(2);
  });

  test("is split by the number of its items, and sealed with its last part", async () => {
    const { batchId, runCount } = await double.batchTrigger(numbers(1_000));
    expect([runCount, service.frames.map(({ items }) => items.length)]).toEqual([1_000, [500, 500]]);
    expect(service.batches.get(batchId)).toMatchObject({ sealed: true, runIds: { length: 1_000 } });
  });

  test("is split by bytes, too", async () => {
    const large = Array.from({ length: 10 }, () => ({ payload: "x".repeat(100_000) }));
    await shout.batchTrigger(large);
    expect(service.frames.map(({ items }) => items.length)).toEqual([5, 5]);
    expect([...service.batches.values()]).toMatchObject([{ sealed: true, runIds: { length: 10 } }]);
  });

  test.each(["batchTrigger", "batchTriggerAndWait"] as const)("has 1 to 1,000 items, or %s fails and nothing is triggered", async (method) => {
    async function* items() {
      yield* numbers(1_001);
    }
    for (const wrong of [[], numbers(1_001), items()]) {
      const error = await failureOf<BatchTriggerError>(double[method](wrong));
      expect(error).toBeInstanceOf(BatchTriggerError);
      expect(error.phase).toBe("create");
    }
    expect(service.frames).toEqual([]);
  });

  test("is not begun if one of its items is refused by its schema, or cannot be sent", async () => {
    expect(await failureOf(strict.batchTrigger([{ payload: { n: 1 } }, { payload: { n: "x" } as never }]))).toBeInstanceOf(z.ZodError);
    expect(await failureOf(shout.batchTrigger([{ payload: "a" }, { payload: (() => {}) as never }]))).toBeInstanceOf(TypeError);
    expect(service.frames).toEqual([]);
  });

  test("that the server refuses is a BatchTriggerError, which says how far it came", async () => {
    service.onFrame = (frame, call) => {
      if (frame.batch?.batchId === "") return false;
      call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, error: refusalStatus(Code.ResourceExhausted, "full", "LOG_FULL", 900) } } });
      return true;
    };
    const error = await failureOf<BatchTriggerError>(double.batchTrigger(numbers(1_000)));
    expect(error).toMatchObject({
      phase: "stream",
      batchId: "batch_1",
      itemCount: 1_000,
      isRateLimited: true,
      retryAfterMs: 900,
      apiError: { reason: "LOG_FULL" },
    });
  });

  test("that its key finds is the first one, with its runs", async () => {
    await double.batchTrigger(numbers(2));
    service.onFrame = (frame, call) => {
      call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, batch: { batchId: "batch_1", runCount: 2, cached: true } } } });
      return true;
    };
    await restartWith({
      getBatch: (call) => call.onMessage(({ batchId }) => call.answer({ batch: { id: batchId, runIds: service.batches.get(batchId)!.runIds } })),
    });
    const handle = await double.batchTrigger(numbers(2), { idempotencyKey: "once" });
    expect(handle).toMatchObject({ batchId: "batch_1", isCached: true, runCount: 2, runs: [{ id: "run_1", isCached: true }, { id: "run_2" }] });
  });

  test("that its key finds half sent is completed", async () => {
    const parts: unknown[] = [];
    service.onFrame = (frame, call) => {
      parts.push([frame.batch!.batchId, frame.batch!.firstIndex, frame.batch!.seal, frame.items.length]);
      const cached = frame.batch!.batchId === "";
      call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, batch: { batchId: "batch_7", runCount: cached ? 1 : 3, cached } } } });
      return true;
    };
    await restartWith({ getBatch: (call) => call.onMessage(() => call.answer({ batch: { id: "batch_7", runIds: ["run_a", "run_b", "run_c"] } })) });
    const { runs } = await double.batchTrigger(numbers(3), { idempotencyKey: "once" });
    expect(runs.map(({ id }) => id)).toEqual(["run_a", "run_b", "run_c"]);
    expect(parts).toEqual([
      ["", 0, true, 3],
      ["batch_7", 1, true, 2],
    ]);
  });
});

test("a server that knows no batches triggers the runs, and the SDK names the batch", async () => {
  service.onFrame = (frame, call) => {
    const outcomes = service.trigger(frame).map((value) => ({ outcome: { case: "runId" as const, value } }));
    call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, outcomes } } });
    return true;
  };
  const { batchId, runCount, runs } = await double.batchTrigger(numbers(501));
  expect(batchId).toMatch(/^batch_[A-Za-z0-9]{16}$/);
  expect([runCount, runs.length]).toEqual([501, 501]);
});

describe("the idempotency key of a batch", () => {
  test("is also that of each item without one, with its index, as Trigger.dev makes it", async () => {
    const own = await idempotencyKeys.create("own", { scope: "global" });
    await double.batchTrigger([{ payload: { n: 1 } }, { payload: { n: 2 }, options: { idempotencyKey: own } }, { payload: { n: 3 } }], {
      idempotencyKey: "nightly",
      idempotencyKeyTTL: "1h",
    });
    const expected = await Promise.all([0, 2].map((index) => idempotencyKeys.create(["nightly", String(index)])));
    expect(["run_1", "run_2", "run_3"].map((id) => optionsOf(id)!.idempotencyKey!.key)).toEqual([expected[0], own, expected[1]]);
    expect(optionsOf("run_1")!.idempotencyKey).toMatchObject({ displayKey: "nightly-0", ttl: { seconds: 3_600n } });
  });

  test("travels with the first part", async () => {
    const keys: (string | undefined)[] = [];
    service.onFrame = ({ batch: part }) => void keys.push(part?.idempotencyKey?.displayKey);
    await double.batchTrigger(numbers(501), { idempotencyKey: ["a", "b"] });
    expect(keys).toEqual(["a-b", undefined]);
  });
});

describe("a batch over several tasks", () => {
  test("names them by id", async () => {
    const { runs } = await batch.trigger<typeof double | typeof shout>([
      { id: "double", payload: { n: 1 } },
      { id: "shout", payload: "a", options: { priority: 3 } },
    ]);
    expect(runs.map(({ taskIdentifier }) => taskIdentifier)).toEqual(["double", "shout"]);
    expect(optionsOf("run_2")).toMatchObject({ prioritySeconds: 3 });
  });

  test("or by the tasks themselves", async () => {
    const { runs } = await batch.triggerByTask([
      { task: double, payload: { n: 1 } },
      { task: shout, payload: "a" },
    ]);
    expect(runs.map(({ taskIdentifier }) => taskIdentifier)).toEqual(["double", "shout"]);
  });

  test("may be waited for", async () => {
    const byId = await batch.triggerAndWait<typeof double | typeof shout>([{ id: "shout", payload: "a" }]);
    expect(byId.runs).toEqual([{ ok: true, id: "run_1", taskIdentifier: "shout", output: "a" }]);
    const byTask = await batch.triggerByTaskAndWait([{ task: double, payload: { n: 1 } }]);
    expect(byTask.runs[0]).toEqual({ ok: true, id: "run_2", taskIdentifier: "double", output: { n: 1 } });
  });

  test("checks payloads of tasks that this process knows", async () => {
    expect(await failureOf(batch.trigger<typeof strict>([{ id: "strict", payload: { n: "x" } as never }]))).toBeInstanceOf(z.ZodError);
  });
});

describe("batch.retrieve", () => {
  test("shows a batch", async () => {
    await restartWith({
      getBatch: (call) =>
        call.onMessage(({ batchId: id }) =>
          call.answer({
            batch: {
              id,
              state: BatchState.PARTIAL_FAILED,
              idempotencyKey: "k",
              createTime: { seconds: 1n },
              updateTime: { seconds: 2n },
              runIds: ["run_1", "run_2"],
              successfulRunCount: 1,
              failedRunCount: 1,
              errors: [{ index: 1, taskId: "double", reason: "QUEUE_FULL", message: "full" }],
            },
          }),
        ),
    });
    const errors = [{ index: 1, taskIdentifier: "double", error: "full", errorCode: "QUEUE_FULL" }];
    expect(await batch.retrieve("batch_1")).toEqual({
      id: "batch_1",
      status: "PARTIAL_FAILED",
      idempotencyKey: "k",
      createdAt: new Date(1_000),
      updatedAt: new Date(2_000),
      runCount: 2,
      runs: ["run_1", "run_2"],
      successfulRunCount: 1,
      failedRunCount: 1,
      errors,
      processing: { completedAt: new Date(2_000), errors },
    });
  });

  test("is a NotFoundError without one", async () => {
    await restartWith({ getBatch: (call) => call.onMessage(() => call.end(refusalStatus(Code.NotFound, "no batch", "BATCH_NOT_FOUND"))) });
    expect(await failureOf(batch.retrieve("batch_9"))).toBeInstanceOf(NotFoundError);
  });
});

async function restartWith(more: FakeRunService["more"]): Promise<void> {
  service.more = more;
  await server.stop();
  await server.start();
}
