import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { reasonOf, refusal } from "@runlane/platform";
import { PendingReason, type Run, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { ExplainRunResponseSchema, type RescheduleRunRequestSchema, RunService } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { failureOf, fieldsOf, type ServedScheduler, serveScheduler } from "./testing/served-scheduler.js";

let served: ServedScheduler;
afterEach(() => served.close());
const runs = () => served.client(RunService);
const json = (text: string) => ({ contentType: "application/json", data: new TextEncoder().encode(text) });

describe("a part of a batch", () => {
  test("goes to the owner whole, also items that break rules: it makes failed runs of them", async () => {
    served = await serveScheduler();
    const { outcomes } = await runs().triggerTasks({ requestId: "r", items: [{ taskId: "t" }, { taskId: "!" }], batch: { seal: true } });
    expect(outcomes).toHaveLength(2);
    expect(served.owner.triggers[0]).toMatchObject({ batch: { seal: true }, items: [{ taskId: "t" }, { taskId: "!" }] });
  });

  test("is answered with what became of the batch", async () => {
    served = await serveScheduler({ triggerRuns: () => ({ batch: { batchId: "batch_1", runCount: 1, cached: true } }) });
    expect(await runs().triggerTasks({ requestId: "r", items: [{ taskId: "t" }], batch: {} })).toMatchObject({ outcomes: [], batch: { cached: true } });
  });

  test.each([
    [["batch.first_index"], { firstIndex: 1 }],
    [["batch.batch_id"], { batchId: "a b" }],
    [["batch.idempotency_key"], { batchId: "batch_1", idempotencyKey: { key: "k" } }],
    [["batch.idempotency_key.key"], { idempotencyKey: {} }],
    [["batch"], { batchId: "batch_1", firstIndex: 1_000 }],
  ])("is refused as a whole if it breaks the rule of %j", async (fields, batch) => {
    served = await serveScheduler();
    expect(fieldsOf(await failureOf(runs().triggerTasks({ requestId: "r", items: [{ taskId: "t" }], batch })))).toEqual(fields);
  });

  test("is BATCH_TOO_LARGE if the batch would have 1,001 items", async () => {
    served = await serveScheduler();
    const items = Array.from({ length: 500 }, () => ({ taskId: "t" }));
    await runs().triggerTasks({ requestId: "r", items, batch: { batchId: "batch_1", firstIndex: 500 } });
    const error = await failureOf(runs().triggerTasks({ requestId: "s", items, batch: { batchId: "batch_1", firstIndex: 501 } }));
    expect(reasonOf(error)).toBe("BATCH_TOO_LARGE");
    expect(served.owner.triggers).toHaveLength(1);
  });

  test("may not be larger than a frame because of what is too large by itself", async () => {
    served = await serveScheduler();
    const items = [{ taskId: "t", payload: json(`"${"x".repeat(600_000)}"`) }];
    expect(fieldsOf(await failureOf(runs().triggerTasks({ requestId: "r", items, batch: {} })))).toEqual(["items"]);
  });
});

describe("ReplayRun", () => {
  const finished = {
    id: "run_7",
    taskId: "mail",
    payload: json('{"to":"a"}'),
    metadata: json('{"step":1}'),
    tags: ["a"],
    queue: "mails",
    concurrencyKey: "eu",
    machine: "micro",
    test: true,
    state: RunState.FAILED,
    prioritySeconds: 5,
    ttlSeconds: 60,
    idempotencyKey: "k",
    maxAttempts: 9,
  };

  test("triggers the task with what the run had, and without what said when, how often and under which key", async () => {
    served = await serveScheduler();
    served.owner.runs.set("run_7", create(RunSchema, finished));
    const { runId } = await runs().replayRun({ requestId: "r", runId: "run_7" });
    expect(runId).toBe("run_2");
    const { replayOfRunId, requestId, items } = served.owner.triggers[0]!;
    expect([replayOfRunId, requestId, items.length]).toEqual(["run_7", "r", 1]);
    const { taskId, payload, metadata, tags, queue, concurrencyKey, machine, test } = finished;
    expect(items[0]).toMatchObject({ taskId, payload, options: { metadata, tags, queue, concurrencyKey, machine, test } });
    const { maxAttempts, ttlSeconds, idempotencyKey, prioritySeconds } = items[0]!.options!;
    expect([maxAttempts, ttlSeconds, idempotencyKey, prioritySeconds]).toEqual([undefined, undefined, undefined, 0]);
  });

  test("is NOT_FOUND without such a run, and fails as its trigger does", async () => {
    served = await serveScheduler({
      triggerRuns: () => ({ outcomes: [{ outcome: { case: "error", value: { code: 8, message: "full" } } }] }),
    });
    expect(reasonOf(await failureOf(runs().replayRun({ runId: "run_9" })))).toBe("RUN_NOT_FOUND");
    served.owner.runs.set("run_7", create(RunSchema, finished));
    expect((await failureOf(runs().replayRun({ runId: "run_7" }))).rawMessage).toBe("full");
    expect(fieldsOf(await failureOf(runs().replayRun({ runId: "" })))).toEqual(["run_id"]);
    expect(fieldsOf(await failureOf(runs().replayRun({ runId: "run_7", requestId: "r".repeat(65) })))).toEqual(["request_id"]);
  });
});

describe("ExplainRun", () => {
  test("answers what the owner says", async () => {
    const answer = create(ExplainRunResponseSchema, { reason: PendingReason.QUEUE_PAUSED, message: "paused", position: 3n });
    served = await serveScheduler({ judgeRun: () => ({ answer }) });
    expect(await runs().explainRun({ runId: "run_1" })).toEqual(answer);
  });

  test("says of a run that the owner has forgotten how it ended", async () => {
    served = await serveScheduler({
      judgeRun: () => {
        throw refusal("RUN_NOT_FOUND", "forgotten");
      },
    });
    const run: Run = create(RunSchema, { id: "run_1", state: RunState.COMPLETED, payload: json("1"), output: json("2") });
    served.owner.runs.set("run_1", run);
    const { reason, message, run: shown } = await runs().explainRun({ runId: "run_1" });
    expect([reason, message]).toEqual([PendingReason.UNSPECIFIED, "The run is COMPLETED."]);
    expect([shown!.id, shown!.payload, shown!.output]).toEqual(["run_1", undefined, undefined]);
    expect(reasonOf(await failureOf(runs().explainRun({ runId: "run_2" })))).toBe("RUN_NOT_FOUND");
  });
});

describe("RescheduleRun, GetBatch and ResetIdempotencyKey", () => {
  test("ask the owner, in the environment of the key", async () => {
    const asked: object[] = [];
    const note = <T>(request: object, answer: T) => {
      asked.push(request);
      return answer;
    };
    served = await serveScheduler({
      moveRun: (request) => note(request, { run: { id: "run_1" }, logSequence: 35n }),
      readBatch: (request) => note(request, { batch: { id: "batch_1" } }),
      endIdempotencyKey: (request) => note(request, { logSequence: 36n }),
    });
    const moved = await runs().rescheduleRun({ runId: "run_1", delay: { case: "delayFor", value: { seconds: 5n } } });
    expect(moved).toMatchObject({ run: { id: "run_1" }, logPosition: "0000000000z" });
    expect((await runs().getBatch({ batchId: "batch_1" })).batch).toMatchObject({ id: "batch_1" });
    expect(await runs().resetIdempotencyKey({ taskId: "t", key: "k" })).toMatchObject({ logPosition: "00000000010" });
    expect(asked).toMatchObject([
      { environment: "dev", request: { runId: "run_1", delay: { case: "delayFor" } } },
      { environment: "dev", batchId: "batch_1" },
      { environment: "dev", taskId: "t", key: "k" },
    ]);
  });

  const day = 86_400n;
  test.each<[string[], MessageInitShape<typeof RescheduleRunRequestSchema>]>([
    [["run_id"], { runId: "a b", delay: { case: "delayFor", value: {} } }],
    [["delay_for"], { runId: "run_1" }],
    [["delay_for"], { runId: "run_1", delay: { case: "delayFor", value: { seconds: -1n } } }],
    [["delay_for"], { runId: "run_1", delay: { case: "delayFor", value: { seconds: 367n * day } } }],
    [["delay_until"], { runId: "run_1", delay: { case: "delayUntil", value: { nanos: -1 } } }],
  ])("refuse what breaks the rule of %j", async (fields, request) => {
    served = await serveScheduler();
    expect(fieldsOf(await failureOf(runs().rescheduleRun(request)))).toEqual(fields);
  });

  test("refuse what cannot be a batch or a key", async () => {
    served = await serveScheduler();
    expect(fieldsOf(await failureOf(runs().getBatch({ batchId: "" })))).toEqual(["batch_id"]);
    expect(fieldsOf(await failureOf(runs().resetIdempotencyKey({ taskId: "", key: "" })))).toEqual(["task_id", "key"]);
    expect(fieldsOf(await failureOf(runs().resetIdempotencyKey({ taskId: "t", key: "k".repeat(2_049) })))).toEqual(["key"]);
  });
});
