import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { type QueueSchema, QueueType, type UpdateConcurrencyLimitRequest, type UpdateQueueRequest } from "#gen/runlane/v1/queue_service_pb.js";
import { concurrencyLimit, concurrencyLimits, NotFoundError, queue, queues, task } from "../index.js";
import { taskRegistry } from "../runtime/task-registry.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";

let updates: UpdateQueueRequest[];
let limitUpdates: UpdateConcurrencyLimitRequest[];

const names = Array.from({ length: 60 }, (_, i) => `q${String(i).padStart(2, "0")}`);
const served = (name: string): MessageInitShape<typeof QueueSchema> => ({
  id: `queue_${name}`,
  name,
  type: name.startsWith("task/") ? QueueType.TASK : QueueType.CUSTOM,
  running: 1n,
  queued: 2n,
  concurrencyLimit: { current: 5, base: 10, override: 5, overrideTime: { seconds: 7n } },
});

serveRuns((service) => {
  updates = [];
  limitUpdates = [];
  service.queues = {
    listQueues: (call) =>
      call.onMessage(({ pageSize, pageToken }) => {
        const start = pageToken === "" ? 0 : Number(pageToken);
        const end = Math.min(names.length, start + pageSize);
        call.answer({ queues: names.slice(start, end).map(served), nextPageToken: end < names.length ? String(end) : "", totalCount: 60n });
      }),
    getQueue: (call) =>
      call.onMessage(({ queue: name }) =>
        name === "none" ? call.end(refusalStatus(Code.NotFound, "no queue", "QUEUE_NOT_FOUND")) : call.answer({ queue: served(name) }),
      ),
    updateQueue: (call) =>
      call.onMessage((request) => {
        updates.push(request);
        call.answer({ queue: { ...served(request.queue), paused: request.paused ?? false } });
      }),
    listConcurrencyLimits: (call) => call.onMessage(() => call.answer({ limits: [{ name: "mail", total: { current: 3, base: 3 } }], totalCount: 1n })),
    getConcurrencyLimit: (call) =>
      call.onMessage(({ name, concurrencyKey }) =>
        call.answer({
          limit: { name, paused: true },
          ...(concurrencyKey === undefined
            ? {}
            : { key: { name, concurrencyKey, perKey: { current: 3, base: 1, override: 3 }, expireTime: { seconds: 9n }, running: 4n } }),
        }),
      ),
    updateConcurrencyLimit: (call) =>
      call.onMessage((request) => {
        limitUpdates.push(request);
        const { name, concurrencyKey } = request;
        call.answer({ limit: { name }, ...(concurrencyKey === undefined ? {} : { key: { name, concurrencyKey } }) });
      }),
  };
});

describe("queues", () => {
  test("are listed in pages that have numbers", async () => {
    const page = await queues.list({ page: 2, perPage: 20 });
    expect(page.data.map(({ name }) => name)).toEqual(names.slice(20, 40));
    expect(page.pagination).toEqual({ currentPage: 2, totalPages: 3, count: 60 });
    expect((await page.getNextPage()).data.map(({ name }) => name)).toEqual(names.slice(40));
    expect((await page.getPreviousPage()).data.map(({ name }) => name)).toEqual(names.slice(0, 20));
    const beyond = await queues.list({ page: 9, perPage: 20 });
    expect([beyond.data, beyond.hasNextPage()]).toEqual([[], false]);
  });

  test("may be iterated over", async () => {
    const seen: string[] = [];
    for await (const { name } of queues.list()) seen.push(name);
    expect(seen).toEqual(names);
  });

  test.each([{ page: 0 }, { page: 1.5 }, { perPage: 0 }, { perPage: 101 }])("have no page %o", async (options) => {
    expect((await failureOf<Error>(Promise.resolve(queues.list(options)))).message).toContain("is a whole number from 1");
  });

  test("are named by id, by kind and name, or by full name", async () => {
    expect(await queues.retrieve("queue_q01")).toMatchObject({ name: "queue_q01", type: "custom" });
    expect(await queues.retrieve({ type: "task", name: "mail" })).toMatchObject({ id: "queue_task/mail", name: "mail", type: "task" });
    expect(await queues.retrieve({ type: "custom", name: "mail" })).toEqual({
      id: "queue_mail",
      name: "mail",
      type: "custom",
      running: 1,
      queued: 2,
      paused: false,
      concurrencyLimit: 5,
      version: "V1",
      concurrency: { current: 5, base: 10, override: 5, overriddenAt: new Date(7_000), overriddenBy: null },
      totalConcurrencyLimit: null,
      keyCount: 0,
    });
    expect(await failureOf(queues.retrieve("none"))).toBeInstanceOf(NotFoundError);
  });

  test("are paused, resumed, and limited", async () => {
    expect(await queues.pause("mail")).toMatchObject({ paused: true });
    expect(await queues.resume("mail")).toMatchObject({ paused: false });
    await queues.overrideConcurrencyLimit({ type: "task", name: "mail" }, 0);
    await queues.resetConcurrencyLimit("mail");
    expect(updates).toMatchObject([
      { queue: "mail", paused: true },
      { queue: "mail", paused: false },
      { queue: "task/mail", concurrencyLimit: { change: { case: "override", value: 0 } } },
      { queue: "mail", concurrencyLimit: { change: { case: "reset" } } },
    ]);
    for (const wrong of [-1, 1.5, 100_001, Number.NaN]) {
      expect((await failureOf<Error>(queues.overrideConcurrencyLimit("mail", wrong))).message).toContain("must be a whole number from 0 to 100,000");
    }
  });
});

describe("concurrencyLimits", () => {
  test("are listed, and read for all keys or one", async () => {
    expect((await concurrencyLimits.list()).data).toMatchObject([{ name: "mail", total: { current: 3, base: 3, override: null }, perKey: { current: null } }]);
    expect(await concurrencyLimits.retrieve("mail")).toMatchObject({ id: expect.stringMatching(/^climit_/), name: "mail", paused: true });
    expect(await concurrencyLimits.retrieve("mail", { concurrencyKey: 7 })).toEqual({
      name: "mail",
      concurrencyKey: "7",
      perKey: { current: 3, base: 1, override: 3, expiresAt: new Date(9_000) },
      running: 4,
      paused: true,
    });
  });

  test("are overridden, reset and paused", async () => {
    await concurrencyLimits.override("mail", { total: 50 });
    expect(await concurrencyLimits.override("mail", { concurrencyKey: "eu", perKey: 3, ttl: "7d" })).toMatchObject({ concurrencyKey: "eu" });
    await concurrencyLimits.reset("mail");
    await concurrencyLimits.reset("mail", { concurrencyKey: "eu" });
    await concurrencyLimits.pause("mail");
    await concurrencyLimits.resume("mail");
    expect(limitUpdates).toMatchObject([
      { total: { change: { value: 50 } } },
      { concurrencyKey: "eu", perKey: { change: { value: 3 } }, ttl: { seconds: 604_800n } },
      { perKey: { change: { case: "reset" } }, total: { change: { case: "reset" } } },
      { concurrencyKey: "eu", perKey: { change: { case: "reset" } } },
      { paused: true },
      { paused: false },
    ]);
    expect(limitUpdates[0]!.perKey).toBeUndefined();
    expect((await failureOf<Error>(concurrencyLimits.override("mail", {}))).message).toContain("give perKey or total");
  });
});

describe("declarations", () => {
  test("a queue and a limit register when they are defined, and are returned as they were given", () => {
    const mails = queue({ name: "mails", concurrencyLimit: 3, rateLimit: { limit: 10, period: "1m", burst: 2 }, rateLimitPerKey: { limit: 1, period: 500 } });
    const openai = concurrencyLimit({ name: "openai", total: 25 });
    expect([mails.concurrencyLimit, openai.total]).toEqual([3, 25]);
    expect(taskRegistry().queues.at(-1)).toMatchObject({
      name: "mails",
      concurrencyLimit: 3,
      rateLimit: { limit: 10, periodMs: 60_000, burst: 2 },
      keyRateLimit: { limit: 1, periodMs: 500, burst: 0 },
    });
    expect(taskRegistry().concurrencyLimits.at(-1)).toMatchObject({ name: "openai", total: 25 });
  });

  test("a task names a queue, takes what queue() made, or says more of it than its limit", () => {
    const shared = queue({ name: "shared", concurrencyLimit: 3 });
    const before = taskRegistry().queues.length;
    task({ id: "by-queue", queue: shared, run: async () => {} });
    expect([taskRegistry().tasks.at(-1)!.queue, taskRegistry().queues.length]).toEqual([{ name: "shared" }, before]);
    task({ id: "own", queue: { rateLimit: { limit: 5, period: "1s" } }, run: async () => {} });
    expect(taskRegistry().queues.at(-1)).toMatchObject({ name: "task/own", rateLimit: { limit: 5 } });
  });

  test("a task's concurrency is one limit of its own and up to two that it shares", () => {
    const openai = concurrencyLimit({ name: "openai", total: 25 });
    task({ id: "limited", concurrency: [{ total: 5, perKey: 1 }, openai, "eu"], ttl: "10m", run: async () => {} });
    expect(taskRegistry().tasks.at(-1)).toMatchObject({ concurrency: { total: 5, perKey: 1, limits: ["openai", "eu"] }, ttl: 600 });
    task({ id: "alone", concurrency: { total: 5 }, run: async () => {} });
    expect(taskRegistry().tasks.at(-1)!.concurrency).toMatchObject({ total: 5, limits: [] });
  });

  test.each<[string, () => unknown]>([
    ["the name of a queue has", () => queue({ name: "a b" })],
    ["concurrencyLimit must be", () => queue({ name: "a", concurrencyLimit: -1 })],
    ["totalConcurrencyLimit must be", () => queue({ name: "a", totalConcurrencyLimit: 100_001 })],
    ["limit must be a whole number from 1", () => queue({ name: "a", rateLimit: { limit: 0, period: "1s" } })],
    ["period must be 100 ms", () => queue({ name: "a", rateLimit: { limit: 1, period: 99 } })],
    ["burst must be", () => queue({ name: "a", rateLimit: { limit: 1, period: "1s", burst: 0 } })],
    ["is not a period", () => queue({ name: "a", rateLimit: { limit: 1, period: "often" } })],
    ["not yet supported: releaseConcurrencyOnWaitpoint", () => queue({ name: "a", releaseConcurrencyOnWaitpoint: true } as never)],
    ["the name of a limit has", () => concurrencyLimit({ name: "" })],
    ['does not begin with "task/"', () => concurrencyLimit({ name: "task/a", total: 1 })],
    ["total must be", () => concurrencyLimit({ name: "a", total: 1.5 })],
    ["at most one limit of its own", () => task({ id: "t", concurrency: [{ total: 1 }, { perKey: 1 }], run: async () => {} })],
    ["names at most 2 limits", () => task({ id: "t", concurrency: ["a", "b", "c"], run: async () => {} })],
    ["ttl is", () => task({ id: "t", ttl: "soon", run: async () => {} })],
  ])("%s: refused", (message, declare) => {
    const { tasks, queues: declared, concurrencyLimits: limits } = taskRegistry();
    const before = [tasks.length, declared.length, limits.length];
    expect(declare).toThrow(message);
    expect([tasks.length, declared.length, limits.length]).toEqual(before);
  });
});
