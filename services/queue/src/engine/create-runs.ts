import type { NewRun, RunRescheduled, RunsCreated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { BatchRecord } from "./batch-record.js";
import { addCreated, addFound, settleBatch } from "./batch-transitions.js";
import { type Durable, requestKey, requestRetention } from "./durable.js";
import { debounceKeyOf, type Environment, machineOf, maxAttemptsOf, maxDurationOf, queueNameOf, type TaskRecord } from "./environment.js";
import { createLane, laneOf } from "./lane.js";
import { machines } from "./machine.js";
import { joinLane, joinLimits, limitsOf } from "./membership.js";
import { queueOf } from "./queue-record.js";
import { type CreatedRuns, createExtras, type FoundAt, type RunExtras, type RunRecord } from "./run-record.js";
import { adopt, defer, enterQueue, queueAt, refer, retire, unrefer } from "./transitions.js";
import { UnexpectedEvent } from "./unexpected-event.js";

const none: readonly never[] = [];

/** Makes the runs of an event, and notes what its items came to. */
export function createRuns(durable: Durable, event: RunsCreated, environment: Environment, parent: RunRecord | undefined): CreatedRuns {
  const first = Number(event.firstNumber);
  const batch = event.batch ? durable.batches.byNumber.get(Number(event.batch)) : undefined;
  if (event.batch && !batch) throw new UnexpectedEvent(`batch ${event.batch} gets items and does not exist`);
  let number = first;
  for (const item of event.runs) {
    createRun(durable, environment, number, item, event, parent);
    number += 1;
  }
  durable.nextRun = number;
  const known = batch?.size ?? 0;
  if (batch) addItems(durable, batch, event);
  const refused = event.refused.length === 0 ? none : event.refused;
  const created: CreatedRuns = {
    first,
    count: event.runs.length,
    refused: refused.map(({ index, refusal }) => ({ index, refusal: { reason: refusal?.reason ?? "", message: refusal?.message ?? "" } })),
    found: event.found.length === 0 ? none : event.found.map((found) => foundAt(Number(found.run), found.index, batch, event.batchIndex, known)),
    batch: batch && { number: batch.number, size: batch.size, cached: false },
  };
  if (event.requestId) rememberRequest(durable, requestKey(event.environment, event.requestId), created);
  return created;
}

function createRun(durable: Durable, environment: Environment, number: number, item: NewRun, event: RunsCreated, parent: RunRecord | undefined): void {
  const task = environment.tasks.get(item.taskId);
  const { settings, failure } = item;
  const queue = queueOf(environment, item.queue || queueNameOf(item.taskId, task));
  const key = settings?.concurrencyKey ?? "";
  // One that is final from the start belongs to no key and no limit.
  const lane = failure && key !== "" ? createLane(queue, key) : laneOf(queue, key);
  if (!failure) joinLane(lane);
  const limits = failure ? undefined : settings?.concurrencyLimits ? limitsOf(environment, task, settings.concurrencyLimits.names) : task?.limits;
  const run: RunRecord = {
    number,
    environment,
    taskId: item.taskId,
    queue,
    queueNamed: item.queue !== "",
    lane,
    slots: joinLimits(lane, limits),
    orderMs: durable.now - Number(settings?.priorityMs ?? 0n),
    tokens: 0,
    list: undefined,
    phase: failure ? "failed" : "queued",
    attempt: 0,
    askedAttempts: item.maxAttempts,
    maxAttempts: item.maxAttempts || maxAttemptsOf(task),
    payload: item.payload,
    createMs: durable.now,
    queueMs: durable.now,
    startMs: 0,
    finishMs: 0,
    retryAtMs: 0,
    version: settings?.version || event.version,
    askedVersion: settings?.version || event.version,
    machine: settings?.machine ? machines.get(settings.machine) : machineOf(task),
    maxDurationSeconds: settings?.maxDurationSeconds ?? maxDurationOf(task),
    extras: extrasOf(item, Number(event.batch)),
    session: undefined,
    epoch: 0n,
    nonce: 0n,
    ownProcess: false,
    output: undefined,
    failure,
    parent: parent?.number ?? 0,
    root: parent ? parent.root || parent.number : 0,
    depth: parent ? parent.depth + 1 : 0,
    guardian: 0,
    children: undefined,
    waiter: undefined,
    retired: false,
    waits: undefined,
    commands: undefined,
    journal: undefined,
  };
  durable.runs.set(number, run);
  if (item.payload?.reference) refer(environment, item.payload.reference);
  if (failure) {
    run.finishMs = durable.now;
    return retire(durable, run);
  }
  if (parent) adopt(durable, parent, run);
  if (settings?.idempotency) {
    const { key, expireMs } = settings.idempotency;
    environment.keys.add({ taskId: item.taskId, key, number, expireMs: Number(expireMs), end: undefined }, durable.now);
  }
  const due = settings ? Number(settings.delayUntilMs) : 0;
  if (due <= durable.now) return enterQueue(durable, run);
  if (settings?.debounce) environment.debounces.set(debounceKeyOf(item.taskId, settings.debounce.key), run);
  defer(durable, run, due);
}

function extrasOf({ settings }: NewRun, batch: number): RunExtras | undefined {
  if (!settings && batch === 0) return undefined;
  const extras = createExtras();
  if (!settings) return { ...extras, batch };
  const {
    tags,
    metadata,
    machine,
    maxDurationSeconds,
    ttlSeconds,
    idempotency,
    debounce,
    concurrencyKey,
    priorityMs,
    weight,
    concurrencyLimits,
    test,
    replayOf,
  } = settings;
  return {
    ...extras,
    tags,
    metadata,
    askedMachine: machine,
    askedDurationSeconds: maxDurationSeconds,
    askedTtlSeconds: ttlSeconds,
    idempotency,
    debounceKey: debounce?.key ?? "",
    concurrencyKey,
    priorityMs: Number(priorityMs),
    weight,
    askedLimits: concurrencyLimits?.names,
    test,
    replayOf: Number(replayOf),
    batch,
  };
}

/** Adds the items that the batch does not have so far, in their order. */
function addItems(durable: Durable, batch: BatchRecord, { firstNumber, runs, found, batchIndex }: RunsCreated): void {
  const known = batch.size;
  let created = 0;
  let next = 0;
  for (let i = 0; i < runs.length + found.length; i++) {
    const hit = found[next];
    if (hit?.index === i) {
      next += 1;
      if (batchIndex + i < known) continue;
      batch.found.push(batch.size);
      addFound(durable, batch, Number(hit.run), hit.completed);
    } else {
      const { taskId, failure } = runs[created] as NewRun;
      if (failure) batch.errors.push({ index: batch.size, taskId, reason: failure.name, message: failure.message });
      addCreated(batch, Number(firstNumber) + created, failure !== undefined);
      created += 1;
    }
  }
  batch.updateMs = durable.now;
  settleBatch(durable, batch);
}

/** What is answered for an item that has a run already. `known`: how many items the batch had before. */
export function foundAt(run: number, index: number, batch: BatchRecord | undefined, batchIndex: number, known: number): FoundAt {
  const at = batchIndex + index;
  return { index, run, byKey: !batch || at >= known || batch.found.includes(at) };
}

function rememberRequest(durable: Durable, key: string, created: CreatedRuns): void {
  durable.requests.set(key, created);
  durable.requestOrder.push({ key, timeMs: durable.now });
  for (;;) {
    const oldest = durable.requestOrder.peek();
    if (!oldest || (oldest.timeMs >= durable.now - requestRetention.ms && durable.requestOrder.size <= requestRetention.count)) return;
    durable.requestOrder.shift();
    durable.requests.delete(oldest.key);
  }
}

/** Gives a delayed run another time, and other data if a trigger that it collected brought some. */
export function reschedule(durable: Durable, run: RunRecord, { dueMs, replacement }: RunRescheduled): void {
  if (run.phase !== "deferred") throw new UnexpectedEvent(`run ${run.number} gets another time and is not delayed`);
  const task = run.environment.tasks.get(run.taskId);
  if (replacement) replace(durable, run, replacement, task);
  const due = Number(dueMs);
  if (due > durable.now) return defer(durable, run, due);
  queueAt(run, durable.now);
  enterQueue(durable, run);
}

function replace(durable: Durable, run: RunRecord, { payload, maxAttempts, settings }: NewRun, task: TaskRecord | undefined): void {
  // The new one first: it may be the old one.
  if (payload?.reference) refer(run.environment, payload.reference);
  if (run.payload?.reference) unrefer(durable, run.environment, run.payload.reference);
  run.payload = payload;
  run.askedAttempts = maxAttempts;
  run.maxAttempts = maxAttempts || maxAttemptsOf(task);
  run.machine = settings?.machine ? machines.get(settings.machine) : machineOf(task);
  run.maxDurationSeconds = settings?.maxDurationSeconds ?? maxDurationOf(task);
  run.extras ??= createExtras();
  run.extras.tags = settings?.tags ?? [];
  run.extras.metadata = settings?.metadata;
  run.extras.askedMachine = settings?.machine ?? "";
  run.extras.askedDurationSeconds = settings?.maxDurationSeconds;
}
