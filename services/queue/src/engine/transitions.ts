import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { type Durable, finishedRetention } from "./durable.js";
import type { Environment } from "./environment.js";
import { followTask, leaveAll } from "./membership.js";
import type { Need } from "./need.js";
import { type Phase, phases } from "./phase.js";
import { giveSlots, leaveReady, makeReady, takeSlots } from "./ready.js";
import type { RunRecord, Wait } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { addBound, removeBound } from "./version-record.js";

/** Delays shorter than this keep the queue slot, as Trigger.dev does (RUN_ENGINE_RETRY_WARM_START_THRESHOLD_MS). */
export const shortDelayMs = 30_000;

/** Waits whose results were delivered that an attempt keeps for a worker that lost the frame. */
const keptWaits = 1_000;

/** Moves a run to another phase: the only place where slots are taken and given back. */
export function setPhase(durable: Durable, run: RunRecord, phase: Phase): void {
  const before = phases[run.phase];
  const after = phases[phase];
  if (run.list) leaveReady(durable, run);
  if (run.version !== "" && before.ready && !after.ready) removeBound(run.environment, run);
  run.phase = phase;
  if (before.slot !== after.slot) {
    if (after.slot) takeSlots(run);
    else giveSlots(durable, run);
  }
  if (before.keeps !== after.keeps) {
    if (after.keeps) run.environment.flow.keeping.add(run);
    else run.environment.flow.keeping.delete(run);
  }
  if (after.settled && !before.settled) leaveAll(durable, run);
  const session = run.session;
  if (!session) return;
  if (before.worker !== after.worker) {
    const taken = after.worker ? 1 : -1;
    session.busy += taken;
    if (run.machine !== undefined) {
      session.usedMilliCpus += taken * run.machine.milliCpus;
      session.usedMemoryMib += taken * run.machine.memoryMib;
    }
  }
  if (!after.session) {
    session.runs.delete(run);
    run.session = undefined;
  }
}

/** Gives a run to a session. */
export function assign(durable: Durable, run: RunRecord, session: SessionRecord): void {
  run.session = session;
  session.runs.add(run);
  setPhase(durable, run, "assigned");
}

/** Puts a run into its queue, without a slot. */
export function enqueue(durable: Durable, run: RunRecord): void {
  setPhase(durable, run, "queued");
  makeReady(durable, run, "start");
  noteBound(durable, run);
}

/** Puts a run into its queue with the slot that it holds. */
export function rearm(durable: Durable, run: RunRecord): void {
  setPhase(durable, run, "rearmed");
  makeReady(durable, run, "rearmed");
  noteBound(durable, run);
}

function noteBound(durable: Durable, run: RunRecord): void {
  if (run.version !== "") addBound(run.environment, run, durable.now);
}

/** A ready run may start on any version: what it was bound to stayed away. It keeps its age, and a slot that it holds. */
export function unbind(durable: Durable, run: RunRecord): void {
  leaveReady(durable, run);
  removeBound(run.environment, run);
  run.version = "";
  run.askedVersion = "";
  makeReady(durable, run, run.phase === "rearmed" ? "rearmed" : "start");
}

/** Lets a run's next attempt wait until `atMs`; at once if that has come. */
export function delay(durable: Durable, run: RunRecord, atMs: number): void {
  if (atMs <= durable.now) return enqueue(durable, run);
  // A run that gave its slot back (its code waited when it failed) must not take one past the limit.
  const keepsSlot = phases[run.phase].slot && atMs - durable.now < shortDelayMs;
  run.retryAtMs = atMs;
  setPhase(durable, run, keepsSlot ? "backoff" : "delayed");
  durable.due.push({ atMs, run, attempt: run.attempt });
}

/** Ends the present attempt: what belonged to it alone is forgotten. */
export function endAttempt(durable: Durable, run: RunRecord): void {
  const waits = run.waits;
  run.waits = undefined;
  run.commands = undefined;
  if (waits) for (const wait of waits.values()) releaseChildren(durable, wait);
}

/** For everybody outside, the run ends now: whoever waits for it is told. */
export function conclude(durable: Durable, run: RunRecord): void {
  run.finishMs = durable.now;
  handOverChildren(durable, run);
  const waiter = run.waiter;
  if (!waiter) return;
  const parent = durable.runs.get(waiter.run);
  const wait = parent?.attempt === waiter.attempt ? parent.waits?.get(waiter.waitId) : undefined;
  if (!parent || !wait) return;
  wait.pending -= 1;
  if (wait.pending > 0) return;
  if (parent.phase === "waiting") {
    setPhase(durable, parent, "resumable");
    makeReady(durable, parent, "resume");
  } else if (parent.phase === "executing") {
    wait.delivered = true;
  }
}

/** What a run triggered and has not ended belongs to its next ancestor now, whose cancellation reaches all descendants. */
function handOverChildren({ runs }: Durable, run: RunRecord): void {
  const children = run.children;
  run.children = undefined;
  if (!children || run.parent === 0) return;
  let heir = runs.get(run.parent);
  while (heir && phases[heir.phase].final) heir = runs.get(heir.parent);
  if (!heir) return;
  for (const number of children) {
    const child = runs.get(number);
    if (!child || phases[child.phase].final) continue;
    heir.children ??= [];
    heir.children.push(number);
  }
}

/** Nothing of the run is left anywhere: it may be forgotten once enough others have ended after it. */
export function retire(durable: Durable, run: RunRecord): void {
  if (isAwaited(durable, run)) return;
  durable.finished.push(run);
  durable.finishedBytes += weightOf(run);
  while (durable.finished.size > finishedRetention.count || durable.finishedBytes > finishedRetention.bytes) {
    const oldest = durable.finished.shift();
    if (!oldest) break;
    durable.finishedBytes -= weightOf(oldest);
    durable.runs.delete(oldest.number);
  }
}

/** Notes that the results of waits went to the worker. */
export function markDelivered(durable: Durable, run: RunRecord, waitIds: readonly number[]): void {
  const waits = run.waits;
  if (!waits) return;
  for (const id of waitIds) {
    const wait = waits.get(id);
    if (wait) wait.delivered = true;
  }
  if (waits.size <= keptWaits) return;
  for (const [id, wait] of waits) {
    if (waits.size <= keptWaits || !wait.delivered) break;
    waits.delete(id);
    releaseChildren(durable, wait);
  }
}

/** Lets the queued runs of a task follow its declaration, see {@link followTask}. Costs as much as the environment has queues, and keys in those that have such runs. */
export function followDeclaration(durable: Durable, environment: Environment, taskId: string): void {
  const runs = new Set<RunRecord>();
  const concerns = ({ need }: { need: Need }) => need.kind === "start" && need.taskId === taskId;
  for (const queue of environment.queues.values()) {
    if (![...queue.lines.values()].some(concerns)) continue;
    for (const lane of [queue.keyless, ...queue.lanes.values()]) {
      for (const list of lane.lists) {
        if (!concerns(list.line)) continue;
        list.runs.forEach((run) => {
          if (run.list === list) runs.add(run);
        });
      }
    }
  }
  for (const run of runs) {
    leaveReady(durable, run);
    followTask(durable, run);
    makeReady(durable, run, "start");
  }
}

/** Whether a live attempt of another run may still need this run's result. */
function isAwaited(durable: Durable, run: RunRecord): boolean {
  const waiter = run.waiter;
  if (!waiter) return false;
  const parent = durable.runs.get(waiter.run);
  return parent?.attempt === waiter.attempt && parent.waits?.has(waiter.waitId) === true;
}

function releaseChildren(durable: Durable, wait: Wait): void {
  for (const number of wait.children) {
    const child = durable.runs.get(number);
    if (child && phases[child.phase].settled) retire(durable, child);
  }
}

function weightOf(run: RunRecord): number {
  return (
    bytesOf(run.payload) + bytesOf(run.output) + bytesOf(run.extras?.metadata) + (run.failure ? run.failure.stackTrace.length + run.failure.message.length : 0)
  );
}

function bytesOf(payload: Payload | undefined): number {
  return payload ? payload.data.length : 0;
}
