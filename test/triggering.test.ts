import type { MessageInitShape } from "@bufbuild/protobuf";
import { BatchTriggerError, batch, configure, idempotencyKeys, NotFoundError, runs, tasks, UnprocessableEntityError } from "@runlane/sdk";
import type { TriggerOptionsSchema } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { insistent, report } from "./fixtures/triggering/tasks.js";
import { eventually } from "./support/eventually.js";
import { refusalOf, Stranger } from "./support/stranger.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

// When, how often and together with what: over a real server, through the SDK and as strangers do it.
let stranger: Stranger;
const { triggerTasks } = RunService.method;

beforeAll(async () => {
  const server = await TestServer.start({ onCleanUp: afterAll });
  configure({ baseURL: server.address, secretKey: server.secretKey });
  stranger = new Stranger(server.address, server.secretKey, afterAll, server.workerAddress);
  new TestWorker(server, "triggering", { concurrency: 4, onCleanUp: afterAll });
});

const failureOf = async (call: Promise<unknown>): Promise<unknown> => {
  const [outcome] = await Promise.allSettled([call]);
  return outcome?.status === "rejected" ? outcome.reason : expect.unreachable("the call succeeded");
};

describe("an idempotency key", () => {
  test("of 200 triggers at once makes one run, whoever sends them", async () => {
    const key = await idempotencyKeys.create("same", { scope: "global" });
    const item = { taskId: "report", options: { idempotencyKey: { key } } };
    const bySdk = Array.from({ length: 100 }, () => tasks.trigger<typeof report>("report", 1, { idempotencyKey: key }));
    const byStrangers = Array.from({ length: 100 }, async () => {
      const { outcomes } = await stranger.call(triggerTasks, { items: [item] });
      return { id: outcomes[0]!.outcome.value as string, isCached: outcomes[0]!.cached };
    });
    const handles = await Promise.all([...bySdk, ...byStrangers]);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ isCached }) => !isCached)).toHaveLength(1);
  });

  test("is free again when somebody ends it", async () => {
    const key = await idempotencyKeys.create("ended", { scope: "global" });
    const first = await tasks.trigger<typeof report>("report", 1, { idempotencyKey: key });
    await idempotencyKeys.reset("report", key);
    const second = await tasks.trigger<typeof report>("report", 1, { idempotencyKey: key });
    expect([second.isCached, second.id === first.id]).toEqual([false, false]);
    expect(await failureOf(idempotencyKeys.reset("report", "never", { scope: "global" }))).toBeInstanceOf(NotFoundError);
  });

  test("finds a run that has ended, also for somebody who waits; the run shows the key as it was written", async () => {
    const [first, second] = [await wait(), await wait()];
    expect(second).toEqual(first);
    expect(first).toMatchObject({ ok: true, output: { idempotencyKey: "waited", idempotencyKeyScope: "run" } });
    expect(await runs.retrieve(first.id)).toMatchObject({ idempotencyKey: "waited" });
  });
  const wait = () => tasks.triggerAndWait<typeof report>("report", 1, { idempotencyKey: "waited" });

  test("twice in one batch that is waited for makes one run, and nobody hangs", async () => {
    const items = [1, 2].map((payload) => ({ payload, options: { idempotencyKey: "doubled" } }));
    const { runs: results } = await tasks.batchTriggerAndWait<typeof report>("report", items);
    expect(results[1]).toEqual(results[0]);
  });
});

describe("a batch", () => {
  test("comes from an async iterable, in parts, and is looked at by its id", async () => {
    async function* items() {
      for (let n = 0; n < 600; n++) yield { payload: n };
    }
    const { batchId, runCount } = await tasks.batchTrigger<typeof report>("report", items());
    expect(runCount).toBe(600);
    const ended = await eventually("the batch is COMPLETED", async () => {
      const found = await batch.retrieve(batchId);
      return found.status === "COMPLETED" && found;
    });
    expect(ended).toMatchObject({ runCount: 600, successfulRunCount: 600, failedRunCount: 0, errors: [] });
    const page = await runs.list({ batch: batchId, limit: 100 });
    expect(page.data).toHaveLength(100);
    expect(page.data.every((run) => run.batchId === batchId && ended.runs.includes(run.id))).toBe(true);
  });

  test("makes failed runs of items that cannot be triggered", async () => {
    const { batchId, runs: handles } = await tasks.batchTrigger<typeof report>("report", [{ payload: 1 }, { payload: 2, options: { version: "19990101.1" } }]);
    const ended = await eventually("the batch has ended", async () => {
      const found = await batch.retrieve(batchId);
      return found.status === "PARTIAL_FAILED" && found;
    });
    expect(ended).toMatchObject({ successfulRunCount: 1, failedRunCount: 1, errors: [{ index: 1, taskIdentifier: "report", errorCode: "VERSION_NOT_FOUND" }] });
    expect(await runs.retrieve(handles[1]!.id)).toMatchObject({ status: "SYSTEM_FAILURE" });
  });

  test("with a key of its run is found by the next attempt", async () => {
    const run = await runs.poll(await tasks.trigger<typeof insistent>("insistent", undefined));
    expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 2, output: { isCached: true } });
    const { batchId, runs: children } = run.output as { batchId: string; runs: string[] };
    expect(children).toHaveLength(2);
    const child = await runs.poll(children[0]!);
    expect(child).toMatchObject({ batchId, relatedRuns: { parent: { id: run.id } }, output: { batchId, parent: run.id, idempotencyKey: "twice-0" } });
  });

  test.each([0, 1_001])("of %i items is an error, and nothing is triggered", async (count) => {
    const items = Array.from({ length: count }, (_, payload) => ({ payload }));
    expect(await failureOf(tasks.batchTrigger<typeof report>("report", items))).toBeInstanceOf(BatchTriggerError);
  });
});

describe("a run", () => {
  test("that is delayed may be given another time, and only then", async () => {
    const handle = await tasks.trigger<typeof report>("report", 1, { delay: "1h", tags: "delayed" });
    const delayed = await runs.retrieve(handle.id);
    expect(delayed).toMatchObject({ status: "DELAYED", pendingReason: "DELAYED_BY_TRIGGER" });
    expect(delayed.delayedUntil!.getTime() - delayed.createdAt.getTime()).toBe(3_600_000);
    await runs.reschedule(handle.id, { delay: new Date(0) });
    expect(await runs.poll(handle)).toMatchObject({ status: "COMPLETED" });
    expect(await failureOf(runs.reschedule(handle.id, { delay: "1h" }))).toMatchObject({ reason: "RUN_NOT_DELAYED" });
    expect(await failureOf(runs.reschedule(handle.id, { delay: "1h" }))).toBeInstanceOf(UnprocessableEntityError);
  });

  test("that does not start within its time to live is EXPIRED, and says so", async () => {
    const handle = await tasks.trigger("of-nobody", 1, { ttl: 1, queue: "of-nobody" });
    expect(await runs.poll(handle)).toMatchObject({ status: "EXPIRED", error: { message: "Run expired because the TTL (1s) was reached" } });
  });

  test("is replayed with what it had, and none of its keys", async () => {
    const first = await runs.poll(await tasks.trigger<typeof report>("report", { a: 1 }, { idempotencyKey: "replayed", priority: 5, tags: ["x"] }));
    expect(first.output).toMatchObject({ priority: 5, isReplay: false });
    const { id } = await runs.replay(first.id);
    const second = await runs.poll(id);
    expect(second).toMatchObject({ tags: ["x"], replayOf: first.id, output: { payload: { a: 1 }, isReplay: true } });
    expect([second.idempotencyKey, second.priority]).toEqual([undefined, undefined]);
  });

  test("is one of several triggers that are collected", async () => {
    const debounce = { key: "collected", delay: "1h", mode: "trailing" } as const;
    const first = await tasks.trigger<typeof report>("report", "first", { debounce });
    const last = await tasks.trigger<typeof report>("report", "last", { debounce });
    expect([last.id, last.isCached]).toEqual([first.id, true]);
    await runs.reschedule(first.id, { delay: "0s" });
    expect((await runs.poll(first)).output).toMatchObject({ payload: "last" });
  });
});

const day = 86_400n;
test.each<[string, MessageInitShape<typeof TriggerOptionsSchema>]>([
  ["queue", { queue: "a b" }],
  ["delay_for", { delay: { case: "delayFor", value: { seconds: -1n } } }],
  ["delay_for", { delay: { case: "delayFor", value: { seconds: 367n * day } } }],
  ["delay_until", { delay: { case: "delayUntil", value: { seconds: BigInt(Math.floor(Date.now() / 1_000)) + 367n * day } } }],
  ["machine", { machine: "huge" }],
  ["ttl_seconds", { ttlSeconds: 4_294_967_295 }],
  ["idempotency_key.key", { idempotencyKey: { key: "k".repeat(2_049) } }],
  ["idempotency_key.ttl", { idempotencyKey: { key: "k", ttl: { seconds: 367n * day } } }],
  ["debounce", { debounce: { key: "k", delay: { seconds: 1n } }, delay: { case: "delayFor", value: {} } }],
  ["debounce.max_delay", { debounce: { key: "k", delay: { seconds: 2n }, maxDelay: { seconds: 2n } } }],
  ["concurrency_key", { concurrencyKey: "k".repeat(513) }],
  ["priority_seconds", { prioritySeconds: Number.NaN }],
  ["priority_seconds", { prioritySeconds: 3e9 }],
  ["weight", { weight: 1_000_001 }],
  ["tags", { tags: Array(11).fill("t") }],
  ["metadata", { metadata: { data: new TextEncoder().encode(`{"a":"${"x".repeat(262_144)}"}`) } }],
  ["concurrency_limits.names", { concurrencyLimits: { names: ["a", "b", "c"] } }],
])("options that break the rule of %s are refused with that field", async (field, options) => {
  const { outcomes } = await stranger.call(triggerTasks, { items: [{ taskId: "report", options }] });
  const { outcome } = outcomes[0]!;
  // What only the owner can judge is told without the item's place.
  const places = [`items[0].options.${field}`, `options.${field}`];
  expect(outcome.case === "error" && refusalOf(outcome.value)).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "INVALID_FIELD",
    fields: [expect.toSatisfy((place: string) => places.includes(place))],
  });
});

test("a batch of 1,001 items is refused by the server, too", async () => {
  const items = Array.from({ length: 500 }, () => ({ taskId: "report" }));
  const first = await stranger.call(triggerTasks, { items, batch: {} });
  const { batchId } = first.batch!;
  await stranger.call(triggerTasks, { items: items.slice(1), batch: { batchId, firstIndex: 500 } });
  await expect(stranger.call(triggerTasks, { items: items.slice(0, 2), batch: { batchId, firstIndex: 999 } })).rejects.toMatchObject({
    reason: "BATCH_TOO_LARGE",
  });
});
