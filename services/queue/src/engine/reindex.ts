import type { Batches, BatchRecord } from "./batch-record.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { limitOf } from "./flow.js";
import { createLane, type Lane, laneOf } from "./lane.js";
import { isForgettable } from "./limit-record.js";
import { joinLane, joinLimits } from "./membership.js";
import { type Phase, phases } from "./phase.js";
import type { QueueRecord } from "./queue-record.js";
import { restOfLane } from "./rates.js";
import { makeReady, takeSlots } from "./ready.js";
import type { RunRecord } from "./run-record.js";

/** Phases that end when their time has come. */
const timed: ReadonlySet<Phase> = new Set(["deferred", "delayed", "backoff"]);

/**
 * Makes the indexes and counts of the state anew from its facts: who holds which slots, who is next in which queue, what is due, where there is something to place. A snapshot holds facts
 * alone, so whoever restores one calls this. After a replay it makes the indexes the same whether the log was replayed from its beginning or from a snapshot, and drops what they hold of runs
 * that have ended long ago.
 *
 * Costs a step for each run in memory; once for each owner.
 */
export function reindex(durable: Durable): void {
  durable.eligible.clear();
  durable.due.clear();
  durable.rateDue.clear();
  durable.resting.clear();
  for (const environment of durable.environments.values()) clear(durable, environment);
  // Runs come in the order of their numbers: to push the greatest onto a heap costs one comparison.
  for (const run of durable.runs.values()) {
    run.list = undefined;
    if (phases[run.phase].settled) run.lane = run.lane.key === "" ? run.queue.keyless : createLane(run.queue, run.lane.key);
    else enter(durable, run);
  }
  for (const { flow } of durable.environments.values()) {
    for (const limit of flow.limits.values()) if (isForgettable(limit)) flow.limits.delete(limit.name);
  }
  indexUnreferenced(durable);
  indexBatches(durable.batches);
}

function indexBatches({ byNumber, open, ended }: Batches): void {
  open.clear();
  ended.clear();
  const byEnd: BatchRecord[] = [];
  for (const batch of byNumber.values()) {
    if (batch.state === "open") open.push(batch);
    else if (batch.endMs > 0) byEnd.push(batch);
  }
  byEnd.sort((a, b) => a.endMs - b.endMs);
  for (const batch of byEnd) ended.push(batch);
}

/** Puts a run where its facts say that it belongs. */
function enter(durable: Durable, run: RunRecord): void {
  const { environment, phase } = run;
  run.lane = laneOf(run.queue, run.lane.key);
  joinLane(run.lane);
  run.slots = joinLimits(
    run.lane,
    run.slots?.map(({ limit }) => limitOf(environment.flow, limit.name)),
  );
  const { slot, keeps } = phases[phase];
  if (slot) takeSlots(run);
  if (keeps) environment.flow.keeping.add(run);
  if (phase === "queued") makeReady(durable, run, "start");
  else if (phase === "rearmed") makeReady(durable, run, "rearmed");
  else if (phase === "resumable") makeReady(durable, run, "resume");
  else if (timed.has(phase)) durable.due.push({ atMs: phase === "deferred" ? run.queueMs : run.retryAtMs, run, attempt: run.attempt, waitId: 0 });
  if (run.waits)
    for (const [waitId, { untilMs, pending }] of run.waits)
      if (untilMs > 0 && pending > 0) durable.due.push({ atMs: untilMs, run, attempt: run.attempt, waitId });
  if (phase === "queued" && run.startMs === 0 && run.extras?.expireMs) durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0, waitId: 0 });
}

function clear(durable: Durable, { flow, queues }: Environment): void {
  flow.held = 0;
  flow.tickets = 0;
  flow.keeping.clear();
  flow.needs.clear();
  flow.open.clear();
  flow.openRearmed.clear();
  flow.opened.clear();
  flow.overrides.clear();
  for (const limit of flow.limits.values()) {
    limit.held = 0;
    limit.queued = 0;
    limit.slots.clear();
    limit.waiting.clear();
    for (const [key, { expireMs }] of limit.keyOverrides) flow.overrides.push({ atMs: expireMs, limit, key });
  }
  for (const queue of queues.values()) clearQueue(durable, queue);
}

function clearQueue(durable: Durable, queue: QueueRecord): void {
  queue.held = 0;
  queue.queued = 0;
  queue.keyCount = 0;
  queue.lines.clear();
  queue.shut = false;
  queue.rateDueMs = 0;
  queue.rateListedMs = 0;
  queue.served = 0;
  clearLane(queue.keyless);
  // Of keys without runs only what their rate limit remembers is a fact.
  const remembered = [...queue.lanes.values()].filter(({ bucket }) => bucket !== undefined).sort((a, b) => (a.key < b.key ? -1 : 1));
  queue.lanes.clear();
  for (const lane of remembered) {
    clearLane(lane);
    queue.lanes.set(lane.key, lane);
    durable.resting.push({ atMs: restOfLane(lane), lane });
  }
}

function clearLane(lane: Lane): void {
  lane.held = 0;
  lane.members = 0;
  lane.lists.length = 0;
  lane.shut = false;
  lane.rateDueMs = 0;
  lane.rateListedMs = 0;
  lane.served = 0;
}

function indexUnreferenced(durable: Durable): void {
  const unreferenced = [...durable.environments.values()].flatMap((environment) =>
    [...environment.payloads.values()].filter(({ refs }) => refs === 0).map((payload) => ({ environment, payload, sinceMs: payload.freeMs })),
  );
  unreferenced.sort((a, b) => a.sinceMs - b.sinceMs);
  durable.unreferenced.clear();
  for (const entry of unreferenced) durable.unreferenced.push(entry);
}
