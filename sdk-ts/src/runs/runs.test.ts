import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { PendingReason, RunSchema, RunState, type TriggerItem, TriggerOutcomeSchema } from "#gen/runlane/v1/run_pb.js";
import { defaultClient, routeTo } from "../client/runlane-client.js";
import { NotFoundError, runs, tasks } from "../index.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { FakeRunService } from "../testing/fake-run-service.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";
import { retrievedRun } from "./run-object.js";

let service: FakeRunService;
let cancelled: string[];

const served = serveRuns((given) => {
  service = given;
  cancelled = [];
  service.more = {
    getRun: (call) =>
      call.onMessage(({ runId }) => {
        const run = service.runs.get(runId);
        if (!run) return call.end(refusalStatus(Code.NotFound, `there is no run ${runId}`, "RUN_NOT_FOUND"));
        const state = run.result?.state ?? RunState.EXECUTING;
        call.send({ run: { id: runId, taskId: run.item.taskId, state, payload: run.item.payload, output: run.result?.output, failure: run.result?.failure } });
        call.end();
      }),
    cancelRun: (call) =>
      call.onMessage(({ runId }) => {
        cancelled.push(runId);
        if (service.runs.get(runId)?.result) return call.end(refusalStatus(Code.FailedPrecondition, "it is final", "RUN_FINISHED"));
        if (!service.runs.has(runId)) return call.end(refusalStatus(Code.NotFound, "no", "RUN_NOT_FOUND"));
        call.send({ run: { id: runId, state: RunState.CANCELED } });
        call.end();
      }),
  };
});

test("retrieve takes a handle or an id", async () => {
  const handle = await tasks.trigger("echo", { a: 1 });
  expect(await runs.retrieve(handle)).toMatchObject({ id: handle.id, status: "COMPLETED", taskIdentifier: "echo", payload: { a: 1 }, output: { a: 1 } });
  expect(await runs.retrieve(handle.id)).toMatchObject({ id: handle.id });
});

test("retrieve of a run that does not exist is a NotFoundError", async () => {
  const error = await failureOf<NotFoundError>(runs.retrieve("run_none"));
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ status: 404, code: "not_found", reason: "RUN_NOT_FOUND", message: "there is no run run_none" });
});

test("cancel of a final run changes nothing, and is no error", async () => {
  const handle = await tasks.trigger("echo", 1);
  expect(await runs.cancel(handle)).toEqual({ id: handle.id });
  service.run = () => undefined;
  expect(await runs.cancel(await tasks.trigger("slow", 1))).toEqual({ id: "run_2" });
  expect(cancelled).toEqual(["run_1", "run_2"]);
  expect(await failureOf(runs.cancel("run_none"))).toBeInstanceOf(NotFoundError);
});

test("poll resolves with the run once it is final", async () => {
  service.run = () => undefined;
  const handle = await tasks.trigger("slow", 1);
  const polled = runs.poll(handle, { pollIntervalMs: 10 });
  await expect.poll(() => service.watched).toEqual([handle.id]);
  service.finish(handle.id, { state: RunState.CANCELED, failure: { kind: FailureKind.INTERNAL, message: "Canceled by user", code: "TASK_RUN_CANCELLED" } });
  expect(await polled).toMatchObject({ status: "CANCELED", isCompleted: true, isCancelled: true, isFailed: false });
});

test("poll of a run that does not exist is a NotFoundError", async () => {
  const error = await failureOf<NotFoundError>(runs.poll("run_none"));
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ status: 404, reason: "RUN_NOT_FOUND", details: { run_id: "run_none" } });
});

test("a read is repeated while the server is away", async () => {
  const handle = await tasks.trigger("echo", 1);
  await served.stop();
  const read = runs.retrieve(handle);
  await served.start();
  expect(await read).toMatchObject({ id: handle.id });
});

const run = (fields: MessageInitShape<typeof RunSchema>) => retrievedRun(create(RunSchema, { id: "run_1", createTime: timestampFromMs(1_000), ...fields }));

test.each([
  [RunState.PENDING_VERSION, "PENDING_VERSION", ["isQueued"]],
  [RunState.QUEUED, "QUEUED", ["isQueued"]],
  [RunState.DELAYED, "DELAYED", ["isQueued"]],
  [RunState.DEQUEUED, "DEQUEUED", ["isExecuting"]],
  [RunState.EXECUTING, "EXECUTING", ["isExecuting"]],
  [RunState.WAITING, "WAITING", ["isWaiting"]],
  [RunState.COMPLETED, "COMPLETED", ["isCompleted", "isSuccess"]],
  [RunState.CANCELED, "CANCELED", ["isCompleted", "isCancelled"]],
  [RunState.FAILED, "FAILED", ["isCompleted", "isFailed"]],
  [RunState.CRASHED, "CRASHED", ["isCompleted", "isFailed"]],
  [RunState.SYSTEM_FAILURE, "SYSTEM_FAILURE", ["isCompleted", "isFailed"]],
  [RunState.EXPIRED, "EXPIRED", ["isCompleted", "isFailed"]],
  [RunState.TIMED_OUT, "TIMED_OUT", ["isCompleted", "isFailed"]],
  [99 as RunState, "UNKNOWN", []],
])("state %i is %s", (state, status, helpers) => {
  const shown = run({ state });
  expect(shown.status).toBe(status);
  expect(
    Object.entries(shown)
      .flatMap(([key, value]) => (key.startsWith("is") && value ? [key] : []))
      .sort(),
  ).toEqual([...helpers].sort());
});

test("a run shows what has a meaning, with Trigger.dev's names", () => {
  const shown = run({
    state: RunState.QUEUED,
    taskId: "resize",
    version: "20261123.1",
    queue: "images",
    attemptCount: 2,
    maxAttempts: 5,
    depth: 1,
    startTime: timestampFromMs(2_000),
    retryTime: timestampFromMs(3_000),
    pendingReason: PendingReason.DELAYED_UNTIL,
    parentRunId: "run_p",
    rootRunId: "run_r",
  });
  expect(shown).toMatchObject({
    taskIdentifier: "resize",
    version: "20261123.1",
    queue: "images",
    attemptCount: 2,
    maxAttempts: 5,
    depth: 1,
    createdAt: new Date(1_000),
    startedAt: new Date(2_000),
    retryAt: new Date(3_000),
    pendingReason: "DELAYED_UNTIL",
    relatedRuns: { parent: { id: "run_p" }, root: { id: "run_r" } },
  });
  expect(Object.values(shown)).not.toContain(undefined);
});

describe("inside a run", () => {
  /** Calls code as a worker does, whose triggers go to the server of this test. */
  const inside = async <T>(code: () => Promise<T>): Promise<T> => {
    const before = routeTo(defaultClient());
    const trigger = async (items: TriggerItem[]) => {
      const { id } = await runRuntimeStorage().exit(() => tasks.trigger(items[0]!.taskId, JSON.parse(Buffer.from(items[0]!.payload!.data).toString())));
      return [create(TriggerOutcomeSchema, { outcome: { case: "runId", value: id } })];
    };
    try {
      return await runRuntimeStorage().run({ trigger } as Partial<RunRuntime> as RunRuntime, code);
    } finally {
      routeTo(before);
    }
  };

  test("triggerAndSubscribe gives the result of a child that it does not wait for", async () => {
    const result = await inside(() => tasks.triggerAndSubscribe("echo", { a: 1 }));
    expect(result).toMatchObject({ ok: true, taskIdentifier: "echo", output: { a: 1 } });
  });

  test("triggerAndSubscribe ends when its signal says so, and cancels the child", async () => {
    const aborted = (cancelOnAbort?: boolean) =>
      inside(() => failureOf(tasks.triggerAndSubscribe("echo", 1, { signal: AbortSignal.abort(), ...(cancelOnAbort === undefined ? {} : { cancelOnAbort }) })));
    expect(await aborted(false)).toMatchObject({ name: "AbortError" });
    expect(cancelled).toEqual([]);
    expect(await aborted()).toMatchObject({ name: "AbortError" });
    await expect.poll(() => cancelled, { timeout: 20_000 }).toHaveLength(1);
  });

  test("triggerAndSubscribe is possible there only", async () => {
    expect((await failureOf(tasks.triggerAndSubscribe("echo", 1))).message).toBe("triggerAndSubscribe can only be used from inside a task.run()");
  });
});

test("triggerAndPoll triggers, waits for the end, and reads the run", async () => {
  expect(await tasks.triggerAndPoll("echo", { a: 1 }, { pollIntervalMs: 10 })).toMatchObject({ status: "COMPLETED", payload: { a: 1 }, output: { a: 1 } });
});
