import { concurrencyLimits, configure, queues, runs, tasks } from "@runlane/sdk";
import { QueueService } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import { PendingReason } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { write } from "./fixtures/queues/tasks.js";
import { Stranger } from "./support/stranger.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

// What may start, changed while the server serves: over a real server, through the SDK and as strangers do it. Changes hold from the answer on, so nothing here waits for them.
let server: TestServer;
const letters = { type: "custom", name: "letters" } as const;
const trigger = (key?: string) => tasks.trigger<typeof write>("write", "dear", key === undefined ? {} : { concurrencyKey: key });
const stranger = () => new Stranger(server.address, server.secretKey);
const explain = async (runId: string) => {
  const { reason, subject, position, remedy } = await stranger().call(RunService.method.explainRun, { runId });
  return { reason: PendingReason[reason], subject, position: Number(position), remedy };
};

beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll });
  configure({ baseURL: server.address, secretKey: server.secretKey });
  new TestWorker(server, "queues", { onCleanUp: afterAll });
  expect(await runs.poll(await trigger())).toMatchObject({ status: "COMPLETED" });
});

describe("a queue", () => {
  test("that is paused starts nothing, says so, and stays so through a restart, until it is resumed", async () => {
    expect(await queues.pause(letters)).toMatchObject({ name: "letters", paused: true });
    const [first, second] = [await trigger(), await trigger("key")];
    expect(await runs.retrieve(first)).toMatchObject({ status: "QUEUED", pendingReason: "QUEUE_PAUSED" });
    expect(await explain(second.id)).toMatchObject({ reason: "QUEUE_PAUSED", subject: "letters", position: 1, remedy: expect.stringContaining("resume") });
    await server.program.stop();
    server = await TestServer.start({ data: server.data, listen: new URL(server.address).host, onCleanUp: afterAll });
    expect(await queues.retrieve(letters)).toMatchObject({ paused: true, queued: 2, running: 0 });
    expect(await runs.retrieve(second)).toMatchObject({ pendingReason: "QUEUE_PAUSED" });
    expect(await queues.resume(letters)).toMatchObject({ paused: false });
    for (const run of [first, second]) expect(await runs.poll(run)).toMatchObject({ status: "COMPLETED" });
  });

  test("has the limit of its override until that is reset", async () => {
    const overridden = await queues.overrideConcurrencyLimit(letters, 0);
    expect(overridden.concurrency).toMatchObject({ current: 0, base: 4, override: 0, overriddenAt: expect.any(Date) });
    const run = await trigger("key");
    expect(await runs.retrieve(run)).toMatchObject({ status: "QUEUED", pendingReason: "CONCURRENCY_KEY_LIMIT" });
    expect((await queues.list()).data.map(({ name }) => name)).toContain("letters");
    expect(await queues.resetConcurrencyLimit(letters)).toMatchObject({ concurrencyLimit: 4, concurrency: { override: null } });
    expect(await runs.poll(run)).toMatchObject({ status: "COMPLETED" });
  });
});

test("a limit that tasks share can be paused and overridden, also for one key alone", async () => {
  expect(await concurrencyLimits.pause("desk")).toMatchObject({ name: "desk", paused: true });
  const paused = await trigger();
  expect(await runs.retrieve(paused)).toMatchObject({ pendingReason: "CONCURRENCY_LIMIT_PAUSED" });
  await concurrencyLimits.resume("desk");
  expect(await runs.poll(paused)).toMatchObject({ status: "COMPLETED" });
  await concurrencyLimits.override("desk", { concurrencyKey: "slow", perKey: 0 });
  const [slow, other] = [await trigger("slow"), await trigger("other")];
  expect(await runs.poll(other)).toMatchObject({ status: "COMPLETED" });
  expect(await explain(slow.id)).toMatchObject({ reason: "CONCURRENCY_LIMIT", subject: "desk" });
  await concurrencyLimits.reset("desk", { concurrencyKey: "slow" });
  expect(await runs.poll(slow)).toMatchObject({ status: "COMPLETED" });
});

test("an environment can be paused and limited", async () => {
  const change = (request: { paused?: boolean; limit?: number | null }) => {
    const { paused, limit } = request;
    const concurrencyLimit = { change: limit === null ? { case: "reset" as const, value: true } : { case: "override" as const, value: limit ?? 0 } };
    return stranger().call(QueueService.method.updateEnvironment, { paused, ...(limit === undefined ? {} : { concurrencyLimit }) });
  };
  expect(await change({ paused: true, limit: 0 })).toMatchObject({ environment: { name: "dev", paused: true, concurrencyLimit: 0 } });
  const run = await trigger();
  expect(await runs.retrieve(run)).toMatchObject({ pendingReason: "ENVIRONMENT_PAUSED" });
  await change({ paused: false });
  expect(await runs.retrieve(run)).toMatchObject({ pendingReason: "ENVIRONMENT_LIMIT" });
  await change({ limit: null });
  expect(await runs.poll(run)).toMatchObject({ status: "COMPLETED" });
});

test("a queue that nobody has declared is no error: its runs wait for it, and it can be neither read nor paused", async () => {
  const run = await tasks.trigger<typeof write>("write", "dear", { queue: "nowhere" });
  expect(await runs.retrieve(run)).toMatchObject({ status: "PENDING_VERSION", pendingReason: "UNKNOWN_QUEUE" });
  await expect(queues.pause("nowhere")).rejects.toMatchObject({ status: 404 });
});

test("the server's own audit finds no slot that is held by nobody", async () => {
  const metrics = await (await fetch(`${server.httpAddress}/metrics`)).text();
  expect(metrics).toMatch(/^runlane_slots_off\{partition="0"\} 0$/m);
});
