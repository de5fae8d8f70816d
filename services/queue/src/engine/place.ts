import { choose, isFreeToResume } from "./choose.js";
import { decideDue } from "./decide-tick.js";
import type { Environment } from "./environment.js";
import { runAssigned, runResumed } from "./events.js";
import { wakeRates } from "./rates.js";
import { makeReady, nextTicket, unblock } from "./ready.js";
import type { ReadyList } from "./ready-list.js";
import { reopened } from "./reopened.js";
import { freeSlots, offer, roomOf, takeTurn, unpark, unparkResume } from "./room.js";
import type { RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import type { Connection } from "./volatile.js";

/** Assignments of one pass: a batch stays small enough to be on disk soon. The rest is placed by the next. */
const passSize = 2_000;

/**
 * Decides which runs start, and on which session. Called when a batch closes, so that a run's creation and its assignment share an append.
 *
 * Who waits longest is next: queues take turns, one run each, inside a queue its keys do, and inside a key the order of its runs counts. What cannot start is set aside with what holds it up
 * (a key, a queue, a limit, the environment, a worker), and found again from there; so a pass costs the assignments that it makes and what became eligible. Nothing walks the backlog, the
 * keys or the queues. Returns whether more could be placed at once.
 */
export function place(step: Step): boolean {
  const { durable, volatile } = step;
  decideDue(step);
  wakeRates(durable, step.now);
  for (const connection of volatile.freed) {
    if (connection.open) durable.eligible.add(connection.session.environment);
    else volatile.freed.delete(connection);
    // All of them before the first gets work: a run that waits longer may want a later one.
    if (freeSlots(connection) > 0) offer(volatile, connection);
  }
  let left = passSize;
  for (const environment of durable.eligible) {
    left = placeIn(step, environment, left);
    if (left === 0) return true;
    durable.eligible.delete(environment);
  }
  return false;
}

/** Starts runs of an environment, at most so many. Returns how many may be started elsewhere. */
function placeIn(step: Step, environment: Environment, most: number): number {
  const { durable, volatile } = step;
  const { opened } = environment.flow;
  let left = most;
  for (;;) {
    let woken = false;
    // One need at a time, the one that waits longest: a slot that it takes is not tried by all others.
    for (const connection of volatile.freed) {
      if (connection.session.environment !== environment) continue;
      if (wake(step, connection)) woken = true;
      else volatile.freed.delete(connection);
    }
    for (const limit of opened) {
      const need = reopened(limit);
      if (need) {
        woken = true;
        unblock(durable, need);
      } else {
        opened.delete(limit);
      }
    }
    if (placeOne(step, environment)) {
      left -= 1;
      if (left === 0) return 0;
    } else if (!woken) {
      return left;
    }
  }
}

/** Takes out what waited for a worker, if that has room. */
function wake(step: Step, connection: Connection): boolean {
  const { durable, volatile } = step;
  const { session } = connection;
  const room = roomOf(volatile, session.environment);
  let woken = false;
  if (room.resumes.size > 0) {
    const run = unparkResume(room, session);
    if (run) {
      // What waited for its own worker comes before what only now asks for that.
      if (isFreeToResume(run)) emit(step, runResumed(run, endedWaits(run)));
      else makeReady(durable, run, "resume");
      woken = true;
    }
  }
  if (room.parked.size === 0 || freeSlots(connection) <= 0) return woken;
  return unpark(volatile, connection, (need) => unblock(durable, need)) || woken;
}

/** Starts, or resumes, the run whose turn it is. */
function placeOne(step: Step, environment: Environment): boolean {
  const list = choose(step, environment);
  const run = list?.runs.peek();
  if (!list || !run) return false;
  const { need } = list.line;
  if (need.kind === "resume") {
    emit(step, runResumed(run, endedWaits(run)));
  } else if (need.worker) {
    const worker = need.worker;
    emit(step, runAssigned(run, worker.session, nonceOf(step)));
    takeTurn(step.volatile, worker, need);
  }
  giveTurn(environment, list);
  return true;
}

/** The queue, and in it the key, have had their turn. */
function giveTurn({ flow }: Environment, list: ReadyList): void {
  const { lane, line } = list;
  const ticket = nextTicket(flow);
  lane.served = ticket;
  line.queue.served = ticket;
  if (list.ring === line.lists) line.lists.pass(list, ticket);
  if (line.ring) line.need.lines.pass(line, ticket);
}

/** Waits that have ended and whose results the worker has not got. */
function endedWaits(run: RunRecord): number[] {
  const ended: number[] = [];
  if (run.waits) for (const [id, wait] of run.waits) if (wait.pending === 0 && !wait.delivered) ended.push(id);
  // The code of a run that names its calls sees them end in the order in which they did, whenever it runs.
  return run.journal ? ended.sort((a, b) => (run.waits?.get(a)?.ended ?? 0) - (run.waits?.get(b)?.ended ?? 0)) : ended;
}

function nonceOf(step: Step): bigint {
  const word = () => BigInt(Math.floor(step.random() * 2 ** 32));
  return (word() << 32n) | word();
}
