import { batchesDue, decideBatchesDue } from "./decide-batch.js";
import { dueOfFlow, endOverrides } from "./decide-flow.js";
import { decideReturn, decideSessionEnd } from "./decide-lost.js";
import { dropUnreferenced } from "./decide-payload.js";
import { decideTokensDue, tokensDue } from "./decide-token.js";
import { dueToUnbind, unbindStranded } from "./decide-version.js";
import { meaningOf } from "./due.js";
import { retryDue, runExpired, waitEnded } from "./events.js";
import { unreferencedRetentionMs } from "./payload-record.js";
import { wakeRates } from "./rates.js";
import { emit, type Step } from "./step.js";
import type { Unaccepted, Volatile } from "./volatile.js";

/** Does what is due: retries, leases, assignments that nobody accepted, payloads that nothing refers to. */
export function decideTick(step: Step, leaseMs: number): void {
  const { durable, volatile } = step;
  decideDue(step);
  for (let entry = nextUnaccepted(volatile); entry && entry.deadline <= step.monotonic; entry = nextUnaccepted(volatile)) {
    volatile.unaccepted.shift();
    decideReturn(step, entry.run);
    // What waits for a worker has its turn before the run that came back.
    volatile.freed.add(entry.connection);
  }
  dropUnreferenced(step);
  decideBatchesDue(step);
  decideTokensDue(step);
  endOverrides(step);
  wakeRates(durable, step.now);
  for (const session of durable.sessions.values()) {
    const heard = volatile.heard.get(session) ?? step.monotonic;
    volatile.heard.set(session, heard);
    if (step.monotonic - heard >= leaseMs) decideSessionEnd(step, session, `the worker was silent for ${leaseMs} ms, which is its lease`);
  }
  // Behind the leases: what their end leaves without a worker is noticed now.
  unbindStranded(step);
}

/** Things that fall due in one decision, at most: all of a decision goes into one record of the log, which has a limit. What is left over is due at once. */
const dueTogether = 5_000;

/** Ends delays that have passed and runs whose time to live has, in the order of their times. Before placement, too: what has expired does not start. */
export function decideDue(step: Step): void {
  const { due } = step.durable;
  const before = step.events.length;
  for (let entry = due.peek(); entry && entry.atMs <= step.now && step.events.length - before < dueTogether; entry = due.peek()) {
    due.pop();
    const { run } = entry;
    const meaning = meaningOf(entry);
    if (meaning === "retry" || meaning === "enter") emit(step, retryDue(run));
    else if (meaning === "expire") emit(step, runExpired(run));
    else if (meaning === "wait") emit(step, waitEnded(run, entry.waitId));
    else if (meaning === "later") due.push({ atMs: run.queueMs, run, attempt: 0, waitId: 0 });
  }
}

/**
 * The oldest assignment that waits to be accepted; older ones that were are dropped. Only while their worker is connected: of one that is away nothing is known until it says
 * Hello or its lease ends.
 */
function nextUnaccepted({ unaccepted }: Volatile): Unaccepted | undefined {
  for (;;) {
    const entry = unaccepted.peek();
    if (!entry || (entry.run.phase === "assigned" && entry.run.nonce === entry.nonce && entry.connection.open)) return entry;
    unaccepted.shift();
  }
}

/**
 * How long until something is due, in milliseconds; undefined if nothing is. `behindMs`: how long the partition's time will stand still because the clock was set back; what is not due yet
 * has to wait that much longer. Leases go by a clock that nobody sets.
 */
export function nextDue(step: Pick<Step, "durable" | "volatile" | "now" | "monotonic">, leaseMs: number, behindMs = 0): number | undefined {
  let next: number | undefined;
  const considerMonotonic = (ms: number) => {
    next = Math.max(0, next === undefined ? ms : Math.min(next, ms));
  };
  const consider = (ms: number) => considerMonotonic(ms > 0 ? ms + behindMs : ms);
  const due = step.durable.due.peek();
  if (due) consider(due.atMs - step.now);
  const unreferenced = step.durable.unreferenced.peek();
  if (unreferenced) consider(unreferenced.sinceMs + unreferencedRetentionMs - step.now);
  const batch = batchesDue(step.durable);
  if (batch !== undefined) consider(batch - step.now);
  const token = tokensDue(step.durable);
  if (token !== undefined) consider(token - step.now);
  const flow = dueOfFlow(step);
  if (flow !== undefined) consider(flow - step.now);
  const unbind = dueToUnbind(step);
  if (unbind !== undefined) consider(unbind - step.now);
  const unaccepted = nextUnaccepted(step.volatile);
  if (unaccepted && unaccepted.deadline !== Number.POSITIVE_INFINITY) considerMonotonic(unaccepted.deadline - step.monotonic);
  for (const session of step.durable.sessions.values()) considerMonotonic((step.volatile.heard.get(session) ?? step.monotonic) + leaseMs - step.monotonic);
  return next;
}
