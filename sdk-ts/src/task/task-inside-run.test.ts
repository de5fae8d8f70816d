import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import {
  type BatchOutcome,
  type BatchPart,
  RunResultSchema,
  RunState,
  type TriggerItem,
  type TriggerOutcome,
  TriggerOutcomeSchema,
} from "#gen/runlane/v1/run_pb.js";
import { ApiError, BatchTriggerError, logger, task } from "../index.js";
import { newAttemptScope } from "../runtime/attempt-scope.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { RunUpdates } from "../runtime/run-updates.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";

const child = task({ id: "child", run: async (payload: number) => payload });

const unused = () => Promise.reject(new Error("not asked for here"));

/** A worker's side of the seam: items of payload 13 are refused, of payload 7 their runs fail, others return their payload. */
class FakeRuntime implements RunRuntime {
  readonly ctx = {} as TaskRunContext;
  readonly signal = new AbortController().signal;
  readonly scope = newAttemptScope();
  readonly calls: { kind: "trigger" | "triggerBatch" | "triggerAndWait"; items: TriggerItem[] }[] = [];
  readonly lines: unknown[] = [];
  readonly waitedMs = 0;
  readonly activeMs = 0;
  readonly earlierActiveMs = 0;
  readonly updates = {} as RunUpdates;
  readonly waitForTime = unused;
  readonly waitForToken = unused;
  readonly record = unused;
  readonly writeOutput = unused;

  trigger(items: TriggerItem[]): Promise<TriggerOutcome[]> {
    this.calls.push({ kind: "trigger", items });
    return Promise.resolve(items.map((item, index) => this.#outcome(item, index)));
  }

  async triggerBatch(items: TriggerItem[], part: BatchPart) {
    this.calls.push({ kind: "triggerBatch", items });
    const batch: BatchOutcome = {
      $typeName: "runlane.v1.BatchOutcome",
      batchId: part.batchId || "batch_1",
      runCount: part.firstIndex + items.length,
      cached: false,
    };
    return { outcomes: items.map((item, index) => this.#outcome(item, part.firstIndex + index)), batch };
  }

  async triggerAndWait(items: TriggerItem[]) {
    this.calls.push({ kind: "triggerAndWait", items });
    const outcomes = items.map((item, index) => this.#outcome(item, index));
    const results = items.map((item, index) => {
      const payload = payloadIn(item);
      if (payload === 13) return undefined;
      const ended =
        payload === 7
          ? { state: RunState.FAILED, failure: { kind: FailureKind.ERROR, name: "Error", message: "seven" } }
          : { state: RunState.COMPLETED, output: item.payload };
      return create(RunResultSchema, { runId: `run_${index}`, taskId: item.taskId, ...ended });
    });
    return { outcomes, results };
  }

  log(level: string, message: string, properties: Record<string, unknown> | undefined): void {
    this.lines.push([level, message, properties]);
  }

  #outcome(item: TriggerItem, index: number): TriggerOutcome {
    const refused = payloadIn(item) === 13;
    return create(TriggerOutcomeSchema, {
      outcome: refused ? { case: "error", value: refusalStatus(Code.InvalidArgument, "unlucky", "INVALID_FIELD") } : { case: "runId", value: `run_${index}` },
    });
  }
}

function payloadIn(item: TriggerItem): unknown {
  return JSON.parse(Buffer.from(item.payload!.data).toString());
}

function inside<T>(code: () => T): { runtime: FakeRuntime; result: T } {
  const runtime = new FakeRuntime();
  return { runtime, result: runRuntimeStorage().run(runtime, code) };
}

test("trigger goes through the worker, as the run's child", async () => {
  const { runtime, result } = inside(() => child.trigger(1));
  expect(await result).toEqual({ id: "run_0", taskIdentifier: "child", isCached: false });
  expect(runtime.calls).toMatchObject([{ kind: "trigger", items: [{ taskId: "child" }] }]);
});

test("the run is known after an await, too", async () => {
  const { runtime, result } = inside(async () => {
    await new Promise(setImmediate);
    return child.trigger(1);
  });
  await result;
  expect(runtime.calls).toHaveLength(1);
});

test("triggerAndWait goes through the worker", async () => {
  expect(await inside(() => child.triggerAndWait(1)).result).toEqual({ ok: true, id: "run_0", taskIdentifier: "child", output: 1 });
  expect(await inside(() => child.triggerAndWait(7)).result).toMatchObject({ ok: false, error: { message: "seven" } });
  expect(await inside(() => child.triggerAndWait(2).unwrap()).result).toBe(2);
});

afterEach(() => void vi.unstubAllEnvs());

test("the version that the environment names is for children that run on their own; one that is waited for has its parent's", async () => {
  vi.stubEnv("TRIGGER_VERSION", "20261123.1");
  const versions = async (call: () => Promise<unknown>) => {
    const { runtime, result } = inside(call);
    await result;
    return runtime.calls.flatMap(({ items }) => items.map(({ options }) => options?.version));
  };
  expect(await versions(() => child.trigger(1))).toEqual(["20261123.1"]);
  expect(await versions(() => child.batchTrigger([{ payload: 1 }]))).toEqual(["20261123.1"]);
  expect(await versions(async () => void (await child.triggerAndWait(1)))).toEqual([undefined]);
  expect(await versions(() => child.batchTriggerAndWait([{ payload: 1 }]))).toEqual([undefined]);
});

test("what the server refuses is an ApiError", async () => {
  for (const call of [() => child.trigger(13), () => child.triggerAndWait(13), () => child.triggerAndWait(13).unwrap()]) {
    const error = await failureOf<ApiError>(inside<Promise<unknown>>(call).result);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 400, message: "unlucky" });
  }
});

test("a batch is one call to the worker", async () => {
  const { runtime, result } = inside(() => child.batchTrigger([1, 2, 3].map((payload) => ({ payload }))));
  expect(await result).toMatchObject({ runCount: 3, runs: [{ id: "run_0" }, { id: "run_1" }, { id: "run_2" }] });
  expect(runtime.calls).toMatchObject([{ kind: "triggerBatch", items: [{}, {}, {}] }]);
});

test("batchTriggerAndWait: a refused item is a failed result beside the others", async () => {
  const { runs } = await inside(() => child.batchTriggerAndWait([1, 13, 7].map((payload) => ({ payload })))).result;
  expect(runs).toMatchObject([
    { ok: true, id: "run_0", output: 1 },
    { ok: false, id: "", error: { status: 400, message: "unlucky" } },
    { ok: false, id: "run_2", error: { message: "seven" } },
  ]);
});

test("batchTriggerAndWait: if every item is refused, so is the batch", async () => {
  const error = await failureOf<BatchTriggerError>(inside(() => child.batchTriggerAndWait([{ payload: 13 }])).result);
  expect(error).toBeInstanceOf(BatchTriggerError);
  expect(error.apiError).toMatchObject({ status: 400 });
});

test("the logger's lines belong to the run", () => {
  const { runtime } = inside(() => {
    logger.info("resizing", { width: 200 });
    logger.debug("done");
  });
  expect(runtime.lines).toEqual([
    ["info", "resizing", { width: 200 }],
    ["debug", "done", undefined],
  ]);
});
