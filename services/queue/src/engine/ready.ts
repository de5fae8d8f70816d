import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { type Flow, flowIsOpen } from "./flow.js";
import { type Lane, laneIsOpen } from "./lane.js";
import { type LimitRecord, type LimitSlots, slotsAreOpen } from "./limit-record.js";
import type { Line } from "./line.js";
import type { Need, NeedKind } from "./need.js";
import { type QueueRecord, queueIsOpen } from "./queue-record.js";
import { dropIfRare, type ReadyList, readyListOf } from "./ready-list.js";
import type { RunRecord } from "./run-record.js";

// Ready runs stand in lists, lists in lines, lines in needs, each as long as nothing that is known holds it up. What is held up is found again from what held it up, and from nowhere else:
// a list from its key or its slots of a limit, a line from its queue, a need from its limit or from a worker.

/** A run is ready: it waits among those that need the same. */
export function makeReady(durable: Durable, run: RunRecord, kind: NeedKind): void {
  const list = readyListOf(durable, run, kind);
  if (kind === "start" && list.runs.wouldBeFirst(run)) forgetRates(durable, list.lane);
  // A packed run is another record when it comes back: this one, which may still be in a heap that it left, is meant no longer.
  if (kind !== "start" || !durable.runs.pack(run, list)) {
    run.list = list;
    list.runs.push(run);
  }
  noteReady(durable, list);
}

/** A list has a run more. */
export function noteReady(durable: Durable, list: ReadyList): void {
  const { need, queue } = list.line;
  list.count += 1;
  if (need.kind === "start") {
    queue.queued += 1;
    if (list.slots) countQueued(list.slots, 1);
  }
  if (list.ring === undefined) attach(durable, list);
}

/** A run is ready no longer, or needs something else. */
export function leaveReady(durable: Durable, run: RunRecord): void {
  const list = run.list;
  if (!list) return;
  const { lane, line, runs } = list;
  const first = runs.isFirst(run);
  run.list = undefined;
  list.count -= 1;
  runs.left((other) => other.list === list);
  if (line.need.kind === "start") {
    run.queue.queued -= 1;
    if (run.slots) countQueued(run.slots, -1);
    if (first) forgetRates(durable, lane);
  }
  if (list.count > 0) return;
  if (list.ring) list.ring.leave(list);
  if (line.ring && !line.lists.head) line.ring.leave(line);
  dropIfRare(list);
}

/** Lets a list take turns, as far as its key allows. */
export function attach(durable: Durable, list: ReadyList): void {
  if (list.ring || list.count === 0) return;
  const { lane, line } = list;
  const { kind } = line.need;
  if (kind !== "rearmed" && (lane.shut || (kind === "start" && lane.rateDueMs !== 0))) return;
  line.lists.join(list, nextTicket(line.queue.environment.flow));
  attachLine(durable, line);
}

/** Lets a line take turns, as far as its queue allows. */
function attachLine(durable: Durable, line: Line): void {
  const { queue, need } = line;
  if (line.ring || !line.lists.head) return;
  if (need.kind !== "rearmed" && (queue.shut || (need.kind === "start" && queue.rateDueMs !== 0))) return;
  const { environment } = queue;
  need.lines.join(line, nextTicket(environment.flow));
  listNeed(durable, queue, need);
}

/** A need may be met: it is considered. */
function listNeed(durable: Durable, { environment }: QueueRecord, need: Need): void {
  if (need.blocked !== undefined) return;
  durable.eligible.add(environment);
  const first = need.lines.head;
  if (need.listed || !first) return;
  need.listed = true;
  need.listedTicket = first.ticket;
  heapOf(environment.flow, need).push(need);
}

/** What was missing may be there. */
export function unblock(durable: Durable, need: Need): void {
  need.blocked = undefined;
  const first = need.lines.head;
  if (first) listNeed(durable, first.queue, need);
}

/** A key may have a slot again. */
function reopenLane(durable: Durable, lane: Lane): void {
  lane.shut = false;
  for (const list of lane.lists) attach(durable, list);
}

/** A queue may have a slot again. */
function reopenQueue(durable: Durable, queue: QueueRecord): void {
  queue.shut = false;
  for (const line of queue.lines.values()) attachLine(durable, line);
}

/** A limit may have a slot again. */
function reopenLimit(flow: Flow, limit: LimitRecord): void {
  if (limit.waiting.size > 0) flow.opened.add(limit);
}

/** A key may have a slot of a limit again. */
function reopenSlots(durable: Durable, slots: LimitSlots): void {
  for (let list = slots.waiting.head; list; list = slots.waiting.head) {
    slots.waiting.leave(list);
    attach(durable, list);
  }
}

/** What a rate limit says of a key, and of its queue, holds for the run that was next; another is. */
function forgetRates(durable: Durable, lane: Lane): void {
  if (lane.rateDueMs !== 0) endRateOfLane(durable, lane);
  if (lane.queue.rateDueMs !== 0) endRateOfQueue(durable, lane.queue);
}

/** The rate limit of a key may let go. */
export function endRateOfLane(durable: Durable, lane: Lane): void {
  lane.rateDueMs = 0;
  for (const list of lane.lists) attach(durable, list);
}

/** The rate limit of a queue may let go. */
export function endRateOfQueue(durable: Durable, queue: QueueRecord): void {
  queue.rateDueMs = 0;
  for (const line of queue.lines.values()) attachLine(durable, line);
}

/** Limits have changed: all that they hold up is looked at again. Costs as much as the environment has queues and keys with something ready. */
export function reconsider(durable: Durable, queue: QueueRecord): void {
  if (queue.shut && queueIsOpen(queue)) reopenQueue(durable, queue);
  for (const lane of [queue.keyless, ...queue.lanes.values()]) {
    if (lane.shut && laneIsOpen(lane)) reopenLane(durable, lane);
    forgetRates(durable, lane);
  }
  durable.eligible.add(queue.environment);
}

/** A limit has changed. */
export function reconsiderLimit(durable: Durable, environment: Environment, limit: LimitRecord): void {
  for (const slots of limit.slots.values()) if (slots.waiting.head && slotsAreOpen(slots)) reopenSlots(durable, slots);
  reopenLimit(environment.flow, limit);
  durable.eligible.add(environment);
}

/** A run gives back its slots. */
export function giveSlots(durable: Durable, run: RunRecord): void {
  const { lane, queue, environment, slots } = run;
  const { flow } = environment;
  lane.held -= 1;
  queue.held -= 1;
  flow.held -= 1;
  if (lane.shut && laneIsOpen(lane)) reopenLane(durable, lane);
  if (queue.shut && queueIsOpen(queue)) reopenQueue(durable, queue);
  if (slots) {
    for (const each of slots) {
      each.held -= 1;
      each.limit.held -= 1;
      if (each.waiting.head && slotsAreOpen(each)) reopenSlots(durable, each);
      reopenLimit(flow, each.limit);
    }
  }
  if (flowIsOpen(flow)) durable.eligible.add(environment);
}

/** A run takes its slots. */
export function takeSlots({ lane, queue, environment, slots }: RunRecord): void {
  lane.held += 1;
  queue.held += 1;
  environment.flow.held += 1;
  if (!slots) return;
  for (const each of slots) {
    each.held += 1;
    each.limit.held += 1;
  }
}

/** The next ticket. */
export function nextTicket(flow: Flow): number {
  flow.tickets += 1;
  return flow.tickets;
}

/** The heap that a need is listed in. */
export function heapOf(flow: Flow, { kind }: Need): Flow["open"] {
  return kind === "rearmed" ? flow.openRearmed : flow.open;
}

function countQueued(slots: readonly LimitSlots[], by: number): void {
  for (const each of slots) {
    each.queued += by;
    each.limit.queued += by;
  }
}
