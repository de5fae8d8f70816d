import type { Environment } from "./environment.js";
import { type Flow, flowIsOpen } from "./flow.js";
import type { Heap } from "./heap.js";
import { laneIsOpen } from "./lane.js";
import { slotsAreOpen } from "./limit-record.js";
import type { Line } from "./line.js";
import type { Need } from "./need.js";
import { closedSlotsOf } from "./pending-reason.js";
import { queueIsOpen } from "./queue-record.js";
import { dueOfLane, dueOfQueue, holdUp } from "./rates.js";
import { leaveReady, nextTicket, unblock } from "./ready.js";
import type { ReadyList } from "./ready-list.js";
import { comesBefore } from "./ready-runs.js";
import { closedLimitOf } from "./reopened.js";
import { park, parkResume, roomOf, workerFor } from "./room.js";
import type { RunRecord } from "./run-record.js";
import { fits } from "./session-record.js";
import type { Step } from "./step.js";
import type { Volatile } from "./volatile.js";

/**
 * The list whose first run starts next; undefined: nothing can start now. What is met on the way and cannot start is set aside with what holds it up.
 */
export function choose(step: Step, environment: Environment): ReadyList | undefined {
  const { flow } = environment;
  for (;;) {
    const need = nextNeed(flow);
    const via = need?.lines.head;
    if (!need || !via) return undefined;
    if (!isMet(step, environment, need)) continue;
    const list = chooseFrom(step, via);
    if (list) return list;
  }
}

/** The need whose first line waits longest. While the environment has no slot, of those that need none. */
function nextNeed(flow: Flow): Need | undefined {
  const rearmed = flow.openRearmed.size === 0 ? undefined : topOf(flow, flow.openRearmed);
  const other = flowIsOpen(flow) ? topOf(flow, flow.open) : undefined;
  return rearmed && other ? (rearmed.listedTicket < other.listedTicket ? rearmed : other) : (rearmed ?? other);
}

function topOf(flow: Flow, heap: Heap<Need>): Need | undefined {
  for (let need = heap.peek(); need; need = heap.peek()) {
    const line = need.blocked === undefined ? firstLine(flow, need) : undefined;
    if (!line) {
      heap.pop();
      need.listed = false;
    } else if (line.ticket === need.listedTicket) {
      return need;
    } else {
      heap.pop();
      need.listedTicket = line.ticket;
      heap.push(need);
    }
  }
  return undefined;
}

/** The line that waits longest. One whose queue had a turn meanwhile, with another need, waits since then. */
function firstLine(flow: Flow, { lines }: Need): Line | undefined {
  for (let line = lines.head; line; line = lines.head) {
    if (line.ticket >= line.queue.served) return line;
    lines.pass(line, nextTicket(flow));
  }
  return undefined;
}

/** Whether there is all that a need asks for. If not, it waits with what is missing. */
function isMet({ volatile }: Step, environment: Environment, need: Need): boolean {
  const limit = need.limits.length === 0 ? undefined : closedLimitOf(need);
  if (limit) {
    if (need.blocked === limit) return false;
    leaveBlocked(volatile, environment, need);
    need.blocked = limit;
    limit.waiting.add(need);
    return false;
  }
  if (need.kind === "resume") return true;
  need.worker = workerFor(volatile, environment, need);
  if (need.worker) return true;
  leaveBlocked(volatile, environment, need);
  need.blocked = "worker";
  park(roomOf(volatile, environment), need);
  return false;
}

/** A need waits no longer for what it was blocked by. */
function leaveBlocked(volatile: Volatile, environment: Environment, need: Need): void {
  if (need.blocked === undefined) return;
  if (need.blocked === "worker") roomOf(volatile, environment).parked.get(need.taskId)?.delete(need);
  else need.blocked.waiting.delete(need);
}

/** Whether there is all that a need asks for, though something was missing when it was last looked at: in a queue whose turn it is, the order of its runs counts. */
function isThere(step: Step, environment: Environment, need: Need): boolean {
  const { blocked } = need;
  if (!isMet(step, environment, need)) return false;
  if (blocked === undefined) return true;
  leaveBlocked(step.volatile, environment, need);
  unblock(step.durable, need);
  return true;
}

/** Chooses in the queue of a line whose turn it is: the key that waits longest, and of it the run that comes first. */
function chooseFrom(step: Step, via: Line): ReadyList | undefined {
  const { queue } = via;
  const { environment } = queue;
  const open = flowIsOpen(environment.flow) && queueIsOpen(queue);
  const choice = nextTicket(environment.flow);
  let first: ReadyList | undefined;
  if (queue.lines.size === 1) {
    first = check(via, open, choice);
  } else {
    for (const line of queue.lines.values()) {
      if (!line.ring) continue;
      if (line !== via && (!mayGo(line, open) || !isThere(step, environment, line.need))) continue;
      const list = check(line, open, choice);
      if (list && (!first || list.ticket < first.ticket)) first = list;
    }
  }
  const list = first && firstOfKey(first, choice);
  const run = list?.runs.peek();
  return list && run && mayStart(step, list, run) ? list : undefined;
}

function mayGo({ need }: Line, open: boolean): boolean {
  return open || need.kind === "rearmed";
}

/** The list of a line whose key waits longest. Without one, the line waits for its queue or keys. */
function check(line: Line, open: boolean, choice: number): ReadyList | undefined {
  const { queue, need } = line;
  let list: ReadyList | undefined;
  if (mayGo(line, open)) list = firstList(line);
  else if (!queueIsOpen(queue)) queue.shut = true;
  if (list) line.checked = choice;
  else need.lines.leave(line);
  return list;
}

function firstList(line: Line): ReadyList | undefined {
  const { lists, queue, need } = line;
  if (need.kind === "start" && queue.rateDueMs !== 0) return undefined;
  for (let list = lists.head; list; list = lists.head) {
    if (list.ticket < list.lane.served) lists.pass(list, nextTicket(queue.environment.flow));
    else if (isFree(list)) return list;
  }
  return undefined;
}

/** Whether a list's key has a slot for it; if not, it waits with what has none. */
function isFree(list: ReadyList): boolean {
  const { lane, line } = list;
  const { kind, keyed } = line.need;
  if (kind === "rearmed") return true;
  if (!laneIsOpen(lane)) {
    lane.shut = true;
    line.lists.leave(list);
    return false;
  }
  if (kind === "start" && lane.rateDueMs !== 0) {
    line.lists.leave(list);
    return false;
  }
  if (!keyed || !list.slots) return true;
  for (const slots of list.slots) {
    if (slotsAreOpen(slots)) continue;
    line.lists.leave(list);
    slots.waiting.join(list, nextTicket(lane.queue.environment.flow));
    return false;
  }
  return true;
}

/** Of the lists of a key that could start a run the one whose run comes first. */
function firstOfKey(found: ReadyList, choice: number): ReadyList {
  const { lists } = found.lane;
  if (lists.length === 1) return found;
  let first = found;
  for (const list of lists) {
    if (list === found || list.ring !== list.line.lists || list.line.checked !== choice || !isFree(list)) continue;
    const [run, other] = [list.runs.peek(), first.runs.peek()];
    if (run && other && comesBefore(run, other)) first = list;
  }
  return first;
}

/** Whether the run itself may start: rate limits ask for its weight, a resume for room for its machine. If not, it waits, and what waits with it. */
function mayStart({ durable, volatile, now }: Step, list: ReadyList, run: RunRecord): boolean {
  const { lane, line } = list;
  const { queue, need } = line;
  if (need.kind === "start") {
    if (queue.keyRate) {
      const due = dueOfLane(lane, run);
      if (due > now) {
        holdUp(durable, lane, due);
        line.lists.leave(list);
        return false;
      }
    }
    if (queue.rate) {
      const due = dueOfQueue(queue, run);
      if (due > now) {
        holdUp(durable, queue, due);
        if (line.ring) need.lines.leave(line);
        return false;
      }
    }
  } else if (need.kind === "resume" && run.machine && run.session && !fits(run.session, run.machine)) {
    const { session, machine } = run;
    leaveReady(durable, run);
    parkResume(roomOf(volatile, run.environment), session, machine, run);
    return false;
  }
  return true;
}

/** Whether a run whose wait has ended could go on at once, as far as slots go. */
export function isFreeToResume(run: RunRecord): boolean {
  const { environment, queue, lane } = run;
  return flowIsOpen(environment.flow) && queueIsOpen(queue) && laneIsOpen(lane) && closedSlotsOf(run) === undefined;
}
