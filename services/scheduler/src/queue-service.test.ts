import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { reasonOf, refusal } from "@runlane/platform";
import type { ChangeLimitRequest, ChangeQueueRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import {
  QueueSchema,
  QueueService,
  type UpdateConcurrencyLimitRequestSchema,
  type UpdateEnvironmentRequestSchema,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { failureOf, fieldsOf, type ServedScheduler, serveScheduler } from "./testing/served-scheduler.js";

const names = Array.from({ length: 25 }, (_, i) => `q${String(i).padStart(2, "0")}`);
let changes: ChangeQueueRequest[];
let limitChanges: ChangeLimitRequest[];
let served: ServedScheduler;

beforeEach(async () => {
  changes = [];
  limitChanges = [];
  served = await serveScheduler({
    readQueues: ({ after, limit, name }) => {
      if (name && !names.includes(name)) throw refusal("QUEUE_NOT_FOUND", `there is no queue ${name}`);
      const found = name ? [name] : names.filter((one) => one > after).slice(0, limit);
      return { queues: found.map((one) => create(QueueSchema, { name: one })), totalCount: BigInt(names.length) };
    },
    changeQueue: (request) => {
      changes.push(request);
      return { queue: { name: request.request!.queue, paused: request.request!.paused ?? false } };
    },
    readLimits: ({ name, concurrencyKey }) => ({
      limits: [{ name: name || "mail" }],
      totalCount: 1n,
      ...(concurrencyKey === undefined ? {} : { key: { name, concurrencyKey } }),
    }),
    changeLimit: (request) => {
      limitChanges.push(request);
      return { limit: { name: request.request!.name } };
    },
    readEnvironment: ({ environment }) => ({ environment: { name: environment } }),
    changeEnvironment: ({ environment, request }) => ({ environment: { name: environment, paused: request!.paused ?? false } }),
  });
});
afterEach(() => served.close());
const queues = () => served.client(QueueService);

test("queues are listed in pages, with their number", async () => {
  const first = await queues().listQueues({ pageSize: 20 });
  expect([first.queues.length, first.totalCount]).toEqual([20, 25n]);
  const second = await queues().listQueues({ pageSize: 20, pageToken: first.nextPageToken });
  expect([...first.queues, ...second.queues].map(({ name }) => name)).toEqual(names);
  expect(second.nextPageToken).toBe("");
});

test("a queue is found by the id that it was listed with, and by its name", async () => {
  const [listed] = (await queues().listQueues({ pageSize: 1 })).queues;
  expect(listed!.id).toMatch(/^queue_/);
  expect((await queues().getQueue({ queue: listed!.id })).queue).toEqual(listed);
  expect((await queues().getQueue({ queue: "q00" })).queue).toEqual(listed);
  expect(reasonOf(await failureOf(queues().getQueue({ queue: "unknown" })))).toBe("QUEUE_NOT_FOUND");
});

test("a change reaches the owner under the queue's name", async () => {
  const { id } = (await queues().getQueue({ queue: "q07" })).queue!;
  const { queue } = await queues().updateQueue({ queue: id, paused: true });
  expect(queue).toMatchObject({ id, name: "q07", paused: true });
  await queues().updateQueue({ queue: "q07", concurrencyLimit: { change: { case: "override", value: 100_000 } } });
  expect(changes.map(({ environment, request }) => [environment, request!.queue])).toEqual([
    ["dev", "q07"],
    ["dev", "q07"],
  ]);
});

test("limits are listed, read for all keys or one, and changed", async () => {
  expect(await queues().listConcurrencyLimits({})).toMatchObject({ limits: [{ name: "mail" }], totalCount: 1n });
  expect((await queues().getConcurrencyLimit({ name: "mail" })).key).toBeUndefined();
  expect((await queues().getConcurrencyLimit({ name: "mail", concurrencyKey: "eu" })).key).toMatchObject({ concurrencyKey: "eu" });
  await queues().updateConcurrencyLimit({ name: "mail", concurrencyKey: "eu", perKey: { change: { case: "override", value: 0 } }, ttl: { seconds: 60n } });
  expect(limitChanges[0]!.request).toMatchObject({ name: "mail", concurrencyKey: "eu" });
});

test("the environment is that of the key", async () => {
  expect((await queues().getEnvironment({})).environment).toMatchObject({ name: "dev" });
  expect((await queues().updateEnvironment({ paused: true })).environment).toMatchObject({ paused: true });
});

const override = (value: number) => ({ change: { case: "override", value } }) as const;

test.each<[string[], MessageInitShape<typeof UpdateConcurrencyLimitRequestSchema>]>([
  [["name"], { name: "" }],
  [["per_key.override"], { name: "a", perKey: override(100_001) }],
  [["total.override"], { name: "a", total: override(4_294_967_295) }],
  [["total"], { name: "a", total: {} }],
  [["concurrency_key"], { name: "a", concurrencyKey: "" }],
  [["concurrency_key"], { name: "a", concurrencyKey: "k".repeat(513) }],
  [["paused"], { name: "a", concurrencyKey: "k", paused: true }],
  [["total"], { name: "a", concurrencyKey: "k", total: override(1) }],
  [["ttl"], { name: "a", ttl: { seconds: 60n } }],
  [["ttl"], { name: "a", concurrencyKey: "k", ttl: { seconds: 0n } }],
  [["ttl"], { name: "a", concurrencyKey: "k", ttl: { seconds: 31n * 86_400n } }],
])("a change of a limit that breaks the rule of %j is refused", async (fields, request) => {
  expect(fieldsOf(await failureOf(queues().updateConcurrencyLimit(request)))).toEqual(fields);
});

test.each<[string[], MessageInitShape<typeof UpdateEnvironmentRequestSchema>]>([
  [["concurrency_limit.override"], { concurrencyLimit: override(100_001) }],
  [["burst_factor"], { burstFactor: 0.5 }],
  [["burst_factor"], { burstFactor: 101 }],
  [["burst_factor"], { burstFactor: Number.NaN }],
])("a change of the environment that breaks the rule of %j is refused", async (fields, request) => {
  expect(fieldsOf(await failureOf(queues().updateEnvironment(request)))).toEqual(fields);
});

test("what cannot be a queue, a limit of it or a page is refused with its field", async () => {
  expect(fieldsOf(await failureOf(queues().getQueue({ queue: "" })))).toEqual(["queue"]);
  expect(fieldsOf(await failureOf(queues().updateQueue({ queue: "a b" })))).toEqual(["queue"]);
  expect(fieldsOf(await failureOf(queues().updateQueue({ queue: "a", concurrencyLimit: override(100_001) })))).toEqual(["concurrency_limit.override"]);
  expect(fieldsOf(await failureOf(queues().listQueues({ pageSize: -1 })))).toEqual(["page_size"]);
  expect(fieldsOf(await failureOf(queues().listConcurrencyLimits({ pageToken: "x" })))).toEqual(["page_token"]);
});
