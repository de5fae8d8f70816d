import type { Batches, BatchRecord } from "./batch-record.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { limitOf } from "./flow.js";
import { createLane, type Lane, laneOf } from "./lane.js";
import { isForgettable, type LimitSlots } from "./limit-record.js";
import { joinLane, joinLimits } from "./membership.js";
import { type Phase, phases } from "./phase.js";
import type { QueueRecord } from "./queue-record.js";
import { restOfLane } from "./rates.js";
import { makeReady, noteReady, takeSlots } from "./ready.js";
import { type ReadyList, readyListOf } from "./ready-list.js";
import type { RunRecord, Wait } from "./run-record.js";
import { reindexTokens } from "./wait-token.js";

/** Phases that end when their time has come. */
const timed: ReadonlySet<Phase> = new Set(["deferred", "delayed", "backoff"]);

/**
 * Makes the indexes and counts of the state anew from its facts: who holds which slots, who is next in which queue, what is due, where there is something to place. After a replay it makes
 * the indexes the same whether the log was replayed from its beginning or from a snapshot, and drops what they hold of runs that have ended long ago.
 *
 * Costs a step for each run in memory; once for each owner.
 */
export function reindex(durable: Durable): void {
  const { runs } = durable;
  const { packed } = runs;
  clearIndexes(durable);
  packed.ready = 0;
  // Lists get back the chains that they have, or begin new ones: not both.
  packed.open = packed.size === 0;
  const remade = new Map<ReadyList, ReadyList>();
  // In the order of their numbers: to push the greatest onto a heap costs one comparison.
  for (const number of runs.numbers()) {
    if (packed.has(number)) {
      indexPacked(durable, number, remade);
    } else {
      const run = runs.get(number);
      if (run) indexRun(durable, run);
    }
  }
  packed.open = true;
  finishIndexes(durable);
}

/** Begins to index a state: there are no runs in any index. A snapshot holds facts alone, so whoever restores one calls this, then {@link indexRun} for each run, then {@link finishIndexes}. */
export function clearIndexes(durable: Durable): void {
  durable.eligible.clear();
  durable.due.clear();
  durable.rateDue.clear();
  durable.resting.clear();
  for (const environment of durable.environments.values()) {
    clear(durable, environment);
    reindexTokens(environment.tokens);
  }
}

/** Puts a run where its facts say that it belongs. */
export function indexRun(durable: Durable, run: RunRecord): void {
  run.list = undefined;
  if (phases[run.phase].settled) run.lane = run.lane.key === "" ? run.queue.keyless : createLane(run.queue, run.lane.key);
  else enter(durable, run);
}

/** Indexes what is not in runs. */
export function finishIndexes(durable: Durable): void {
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

/** Puts a live run into its key, its limits, and the list or the due times that its phase says. */
function enter(durable: Durable, run: RunRecord): void {
  const { environment, phase } = run;
  run.lane = laneOf(run.queue, run.lane.key);
  joinLane(run.lane);
  run.slots = slotsAnew(environment, run.lane, run.slots);
  const { slot, keeps } = phases[phase];
  if (slot) takeSlots(run);
  if (keeps) environment.flow.keeping.add(run);
  if (phase === "queued") makeReady(durable, run, "start");
  else if (phase === "rearmed") makeReady(durable, run, "rearmed");
  else if (phase === "resumable") makeReady(durable, run, "resume");
  else if (phase === "revived") makeReady(durable, run, "revive");
  else if (timed.has(phase)) durable.due.push({ atMs: phase === "deferred" ? run.queueMs : run.retryAtMs, run, attempt: run.attempt, waitId: 0 });
  if (run.waits) indexWaits(durable, run, run.waits);
  if (phase === "queued" && run.startMs === 0 && run.extras?.expireMs) durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0, waitId: 0 });
}

function indexWaits(durable: Durable, run: RunRecord, waits: ReadonlyMap<number, Wait>): void {
  const { number, attempt, environment } = run;
  for (const [waitId, { untilMs, token, pending }] of waits) {
    if (pending === 0) continue;
    if (untilMs > 0) durable.due.push({ atMs: untilMs, run, attempt, waitId });
    if (token > 0) environment.tokens.byNumber.get(token)?.waits.push({ run: number, attempt, waitId });
  }
}

/** A packed run stays as it is: it is its list that is made anew. */
function indexPacked(durable: Durable, number: number, remade: Map<ReadyList, ReadyList>): void {
  const { packed } = durable.runs;
  const before = packed.listOf(number);
  let list = remade.get(before);
  if (list) {
    joinLane(list.lane);
    for (const each of list.slots ?? []) each.members += 1;
  } else {
    const { environment } = before.lane.queue;
    const lane = laneOf(before.lane.queue, before.lane.key);
    joinLane(lane);
    const { taskId, version, machine } = before.line.need;
    list = readyListOf(durable, { environment, queue: lane.queue, lane, slots: slotsAnew(environment, lane, before.slots), taskId, version, machine }, "start");
    packed.move(before.runs, list);
    remade.set(before, list);
    remade.set(list, list);
  }
  noteReady(durable, list);
}

function slotsAnew({ flow }: Environment, lane: Lane, slots: readonly LimitSlots[] | undefined): readonly LimitSlots[] | undefined {
  return joinLimits(
    lane,
    slots?.map(({ limit }) => limitOf(flow, limit.name)),
  );
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
  lane.lists = [];
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
