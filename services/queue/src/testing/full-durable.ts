import { create } from "@bufbuild/protobuf";
import { FailureKind, FailureSchema, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { IdempotencyScope } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { JournalKeySchema, JournalKind, QueueDeclarationSchema, TaskDeclarationSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { BatchRecord } from "../engine/batch-record.js";
import { createDurable, type Durable, workerKey } from "../engine/durable.js";
import { debounceKeyOf, type Environment } from "../engine/environment.js";
import { createFlow } from "../engine/flow.js";
import { IdempotencyKeys, type KeyRecord } from "../engine/idempotency-keys.js";
import { type Journal, type JournalRecord, wordOf } from "../engine/journal.js";
import { laneOf } from "../engine/lane.js";
import { createLimit, type LimitRecord } from "../engine/limit-record.js";
import { machines } from "../engine/machine.js";
import { joinLimits } from "../engine/membership.js";
import type { PayloadRecord } from "../engine/payload-record.js";
import { QueueRecord } from "../engine/queue-record.js";
import { reindex } from "../engine/reindex.js";
import type { CreatedRuns, RunExtras, RunRecord, Wait } from "../engine/run-record.js";
import type { SessionRecord } from "../engine/session-record.js";
import { rateOf } from "../engine/token-bucket.js";
import type { VersionRecord } from "../engine/version-record.js";
import { createWaitTokens, type WaitToken, type WaitTokens } from "../engine/wait-token.js";

/** Every field of a record with a value: a field that is added to a record must be added here, else this does not compile. */
type Full<T> = { [K in keyof Required<T>]: NonNullable<T[K]> };

/** A state in which every field of every record differs from what a new record has. It need not be one that an engine could come to. */
export function fullDurable(): Durable {
  const environment = fullEnvironment();
  const queue = fullQueue(environment);
  environment.queues.set(queue.name, queue);
  const lane = laneOf(queue, "tenant");
  lane.bucket = { units: 1, atMs: 17 };
  const limit = fullLimit();
  environment.flow.limits.set(limit.name, limit);
  const session: Full<SessionRecord> = {
    number: 9,
    environment,
    workerId: "w",
    incarnation: 4n,
    version: "20260101.1",
    milliCpus: 2_000,
    memoryMib: 1_024,
    runs: new Set(),
    busy: 1,
    usedMilliCpus: 250,
    usedMemoryMib: 256,
  };
  const older = { ...session, number: 8, incarnation: 3n, runs: new Set<RunRecord>(), busy: 0, usedMilliCpus: 0, usedMemoryMib: 0 };
  const extras: Full<RunExtras> = {
    tags: ["a", "b"],
    metadata: payload('{"m":1}'),
    askedMachine: "micro",
    askedDurationSeconds: 5,
    askedTtlSeconds: 60,
    ttlSeconds: 61,
    expireMs: 62,
    idempotency: { $typeName: "runlane.internal.v1.IdempotencySetting", key: "k", expireMs: 63n, displayKey: "shown", scope: IdempotencyScope.RUN },
    debounceKey: "d",
    concurrencyKey: "tenant",
    priorityMs: -64,
    weight: 65,
    askedLimits: ["shared"],
    test: true,
    replayOf: 66,
    activeMs: 67,
    batch: 7,
    foundIn: [8, 8],
  };
  const run: Full<Omit<RunRecord, "list">> & Pick<RunRecord, "list"> = {
    number: 41,
    environment,
    taskId: "task",
    queue,
    queueNamed: true,
    lane,
    slots: joinLimits(lane, [limit]) as Full<RunRecord>["slots"],
    orderMs: 8,
    tokens: 2,
    // Reindexing says where it waits, if it does.
    list: undefined,
    phase: "executing",
    attempt: 2,
    askedAttempts: 4,
    maxAttempts: 5,
    payload: payload("1"),
    createMs: 11,
    queueMs: 10,
    startMs: 12,
    finishMs: 13,
    retryAtMs: 14,
    version: "20260101.1",
    askedVersion: "20260101.2",
    machine: machines.get("micro") as Full<RunRecord>["machine"],
    maxDurationSeconds: 6,
    extras,
    session,
    epoch: 77n,
    nonce: 2n ** 63n + 1n,
    ownProcess: true,
    output: payload("2"),
    failure: create(FailureSchema, {
      kind: FailureKind.ERROR,
      name: "TypeError",
      message: "no",
      stackTrace: "at",
      raw: payload("3"),
      cause: { message: "why" },
    }),
    parent: 31,
    root: 30,
    depth: 2,
    guardian: 29,
    children: [42, 43],
    waiter: { run: 31, attempt: 1, waitId: 2, next: { run: 32, attempt: 3, waitId: 4, next: undefined } },
    retired: false,
    waits: new Map([
      [1, fullWait([42], 0, true)],
      [2, fullWait([43], 1, false)],
    ]),
    commands: new Map([
      [1, { kind: "created", created: createdRuns(42) }],
      [2, { kind: "done" }],
      [3, { kind: "refused", refusal: { reason: "R", message: "m" } }],
    ]),
    journal: fullJournal(),
  };
  const bound = { ...plainRun(run, 44), phase: "queued" as const, version: "20260101.2" };
  const ended = { ...plainRun(run, 45), phase: "completed" as const, retired: true };
  session.runs.add(run);
  environment.versions.bound.set(bound.version, new Map([[bound, 99]]));
  const durable: Durable = { ...createDurable(), now: 1_000, nextRun: 50, nextSession: 10, finishedBytes: 123 };
  durable.environments.set(environment.name, environment);
  for (const each of [older, session]) durable.sessions.set(each.number, each);
  durable.sessionOf.set(workerKey(environment.name, "w"), session);
  for (const each of [run, bound, ended]) durable.runs.set(each.number, each);
  durable.finished.push(ended);
  durable.requests.set("dev\nr", createdRuns(41));
  environment.debounces.set(debounceKeyOf("task", "d"), run);
  durable.batches.next = 9;
  for (const batch of fullBatches(environment)) durable.batches.byNumber.set(batch.number, batch);
  durable.requestOrder.push({ key: "dev\nr", timeMs: 15 });
  reindex(durable);
  return durable;
}

function fullTokens(): WaitTokens {
  const open: Full<WaitToken> = {
    number: 1,
    secret: "s",
    createMs: 1,
    timeoutMs: 7_000,
    key: "k",
    keyExpireMs: 8_000,
    tags: ["a", "b"],
    timer: true,
    requestId: "r",
    state: "waiting",
    finishMs: 0,
    output: undefined as never,
    waits: [],
  };
  const ended: Full<WaitToken> = { ...open, number: 2, key: "l", requestId: "q", state: "completed", finishMs: 9, output: payload("5") };
  const late: WaitToken = { ...ended, number: 3, state: "timed out", finishMs: 8, output: undefined };
  return { ...createWaitTokens(), next: 5, byNumber: new Map([open, ended, late].map((each) => [each.number, each])) };
}

function fullWait(children: number[], pending: number, delivered: boolean): Wait {
  const wait: Full<Wait> = {
    children,
    untilMs: 5_000,
    token: 1,
    pending,
    delivered,
    commandId: 1,
    ended: 4,
    unseen: true,
    output: payload("6"),
    timedOut: true,
  };
  return wait;
}

function fullJournal(): Journal {
  const key = create(JournalKeySchema, { kind: JournalKind.STEP, name: "charge", argumentsHash: new Uint8Array([1, 255]), occurrence: 2 });
  const failure = create(FailureSchema, { kind: FailureKind.ERROR, message: "no" });
  const entry: Full<JournalRecord> = { key, commandId: 1, waitId: 2, settled: 3, record: true, output: payload("4"), failure };
  const journal: Full<Journal> = { entries: new Map([[1, entry]]), words: new Map([[wordOf(key), 1]]), steps: [entry], settled: 3, ended: 4, offered: true };
  return journal;
}

function fullBatches(environment: Environment): BatchRecord[] {
  const ended: Full<BatchRecord> = {
    number: 7,
    environment,
    createMs: 1,
    updateMs: 2,
    idempotency: { $typeName: "runlane.internal.v1.IdempotencySetting", key: "b", expireMs: 3n, displayKey: "", scope: IdempotencyScope.GLOBAL },
    parent: 31,
    size: 3,
    spans: [41, 2, 12, 1],
    found: [2],
    errors: [{ index: 1, taskId: "task", reason: "R", message: "m" }],
    state: "aborted",
    pending: 4,
    succeeded: 5,
    failed: 6,
    endMs: 8,
  };
  return [ended, { ...ended, number: 8, idempotency: undefined, state: "open", endMs: 0 }];
}

function createdRuns(first: number): CreatedRuns {
  const created: Full<CreatedRuns> = {
    first,
    count: 1,
    refused: [{ index: 3, refusal: { reason: "R", message: "m" } }],
    found: [{ index: 1, run: 12, byKey: true }],
    batch: { number: 7, size: 3, cached: true },
  };
  return created;
}

function fullKeys(): IdempotencyKeys {
  const keys = new IdempotencyKeys();
  const record: Full<KeyRecord> = { taskId: "task", key: "k", number: 41, expireMs: 63, end: "completed" };
  for (const each of [record, { ...record, key: "l", end: undefined }, { ...record, taskId: "", end: "canceled" as const }]) keys.restore(each);
  return keys;
}

function fullEnvironment(): Environment {
  const first: Full<VersionRecord> = { version: "20260101.1", buildId: "b1", createMs: 5, index: 0, setAside: false };
  const second: Full<VersionRecord> = { version: "20260101.2", buildId: "b2", createMs: 6, index: 1, setAside: true };
  const stored: Full<PayloadRecord> = { reference: "pay_1", sizeBytes: 200_000, storedMs: 7, freeMs: 8, refs: 0 };
  const declaration = create(TaskDeclarationSchema, { id: "task", queue: "named", concurrencyLimit: 3, maxAttempts: 2, machine: "micro", payloadSchema: "{}" });
  const environment: Full<Environment> = {
    name: "dev",
    tag: "abc",
    tasks: new Map([["task", { declaration, version: first.version, limits: undefined }]]),
    queues: new Map(),
    flow: { ...createFlow(), paused: true, limit: 7, burst: 1.5 },
    versions: {
      byBuild: new Map([first, second].map((each) => [each.buildId, each])),
      byNumber: new Map([first, second].map((each) => [each.version, each])),
      current: first,
      bound: new Map(),
    },
    payloads: new Map([stored, { ...stored, reference: "pay_2", refs: 2 }].map((each) => [each.reference, each])),
    keys: fullKeys(),
    debounces: new Map(),
    tokens: fullTokens(),
  };
  return environment;
}

function fullQueue(environment: Environment): QueueRecord {
  const queue = new QueueRecord(environment, "named", true);
  queue.declaration = create(QueueDeclarationSchema, {
    name: "named",
    concurrencyLimit: 3,
    totalLimit: 5,
    rateLimit: { limit: 10, period: { seconds: 1n } },
    keyRateLimit: { limit: 3, period: { seconds: 7n }, burst: 2 },
  });
  queue.version = "20260101.1";
  queue.paused = true;
  Object.assign(queue.keyLimit, { base: 3, override: 0, overrideMs: 18 });
  queue.totalLimit = 5;
  queue.rate = rateOf(queue.declaration.rateLimit);
  queue.keyRate = rateOf(queue.declaration.keyRateLimit);
  queue.bucket = { units: -4, atMs: 19 };
  queue.keyless.bucket = { units: 5, atMs: 20 };
  return queue;
}

function fullLimit(): LimitRecord {
  return {
    ...createLimit("shared"),
    declared: true,
    named: true,
    version: "20260101.1",
    paused: true,
    perKey: { base: 1, override: 2, overrideMs: 21 },
    total: { base: 3, override: 4, overrideMs: 22 },
    keyOverrides: new Map([["tenant", { value: 5, atMs: 23, expireMs: 24 }]]),
  };
}

/** A run with as little as a run can have. */
function plainRun({ environment, queue }: RunRecord, number: number): RunRecord {
  return {
    number,
    environment,
    taskId: "task",
    queue,
    queueNamed: false,
    lane: queue.keyless,
    slots: undefined,
    orderMs: 1,
    tokens: 0,
    list: undefined,
    phase: "queued",
    attempt: 0,
    askedAttempts: 0,
    maxAttempts: 1,
    payload: undefined,
    createMs: 1,
    queueMs: 1,
    startMs: 0,
    finishMs: 0,
    retryAtMs: 0,
    version: "",
    askedVersion: "",
    machine: undefined,
    maxDurationSeconds: 0,
    extras: undefined,
    session: undefined,
    epoch: 0n,
    nonce: 0n,
    ownProcess: false,
    output: undefined,
    failure: undefined,
    parent: 0,
    root: 0,
    depth: 0,
    guardian: 0,
    children: undefined,
    waiter: undefined,
    retired: false,
    waits: undefined,
    commands: undefined,
    journal: undefined,
  };
}

function payload(json: string) {
  return create(PayloadSchema, { contentType: "application/json", data: new TextEncoder().encode(json), metadata: { superjson: "{}" } });
}
