import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { countEnd } from "./batch-transitions.js";
import { type Durable, finishedRetention } from "./durable.js";
import { debounceKeyOf, type Environment, machineOf, queueNameOf, type TaskRecord, ttlOf } from "./environment.js";
import type { Machine } from "./machine.js";
import { type Phase, phases } from "./phase.js";
import { createQueue, leaveReadyList, type QueueRecord, type ReadyList, readyListOf } from "./queue-record.js";
import { createExtras, type RunExtras, type RunRecord, type Wait, type Waiter } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { UnexpectedEvent } from "./unexpected-event.js";
import { addBound, removeBound } from "./version-record.js";

/** Delays shorter than this keep the queue slot, as Trigger.dev does (RUN_ENGINE_RETRY_WARM_START_THRESHOLD_MS). */
export const shortDelayMs = 30_000;

/** Waits whose results were delivered that an attempt keeps for a worker that lost the frame. */
const keptWaits = 1_000;

/** Moves a run to another phase: the only place where slots are taken and given back. */
export function setPhase(durable: Durable, run: RunRecord, phase: Phase): void {
  const before = phases[run.phase];
  const after = phases[phase];
  if (run.version !== "" && before.ready && !after.ready) removeBound(run.environment, run);
  run.phase = phase;
  if (before.slot && !after.slot) {
    run.queue.held -= 1;
    durable.eligible.add(run.queue);
  } else if (!before.slot && after.slot) {
    run.queue.held += 1;
  }
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
  leaveReadyList(run);
  run.session = session;
  session.runs.add(run);
  setPhase(durable, run, "assigned");
}

/** Delays a run, as its trigger asked. */
export function defer(durable: Durable, run: RunRecord, atMs: number): void {
  // One that it has already serves, if it comes earlier: it moves on when its time has come.
  if (run.phase !== "deferred" || atMs < run.queueMs) durable.due.push({ atMs, run, attempt: 0 });
  run.queueMs = atMs;
  setPhase(durable, run, "deferred");
}

/** Puts a run into its queue for the first time: from now on its time to live counts. */
export function enterQueue(durable: Durable, run: RunRecord, task: TaskRecord | undefined): void {
  if (run.phase === "deferred") {
    if (run.extras?.debounceKey) collectNoMore(run, run.extras.debounceKey);
    // Declarations that came meanwhile moved the runs of queues only.
    if (!run.queueNamed) run.queue = queueOf(run.environment, queueNameOf(run.taskId, task));
    if (!run.extras?.askedMachine) run.machine = machineOf(task);
  }
  const ttlSeconds = run.extras?.askedTtlSeconds ?? ttlOf(task);
  if (ttlSeconds > 0) {
    run.extras ??= createExtras();
    run.extras.ttlSeconds = ttlSeconds;
    run.extras.expireMs = durable.now + ttlSeconds * 1_000;
    durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0 });
  }
  enqueue(durable, run);
}

/** Puts a run into its queue, without a slot. */
export function enqueue(durable: Durable, run: RunRecord): void {
  setPhase(durable, run, "queued");
  makeReady(durable, run, readyListOf(run.queue, run).queued);
}

/** Puts a run into its queue with the slot that it holds. */
export function rearm(durable: Durable, run: RunRecord): void {
  setPhase(durable, run, "rearmed");
  makeReady(durable, run, readyListOf(run.queue, run).rearmed);
}

function makeReady(durable: Durable, run: RunRecord, list: ReadyList["queued"]): void {
  list.push(run);
  durable.eligible.add(run.queue);
  if (run.version !== "") addBound(run.environment, run, durable.now);
}

/** A ready run may start on any version: what it was bound to stayed away. It keeps its age, and a slot that it holds. */
export function unbind(durable: Durable, run: RunRecord): void {
  removeBound(run.environment, run);
  run.version = "";
  run.askedVersion = "";
  makeReady(durable, run, readyListOf(run.queue, run)[run.phase === "rearmed" ? "rearmed" : "queued"]);
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
  if (run.children) handOver(durable, run, run.children);
  if (run.extras) concludeExtras(durable, run, run.extras);
  for (let waiter = run.waiter; waiter; waiter = waiter.next) {
    const parent = durable.runs.get(waiter.run);
    const wait = parent?.attempt === waiter.attempt ? parent.waits?.get(waiter.waitId) : undefined;
    if (!parent || !wait) continue;
    wait.pending -= 1;
    if (wait.pending === 0) endWait(durable, parent, wait);
  }
}

/** A wait has ended. Who executes has its results at once; who waits, when there is a slot. */
export function endWait(durable: Durable, run: RunRecord, wait: Wait): void {
  if (run.phase === "waiting") {
    setPhase(durable, run, "resumable");
    run.queue.resumes.push(run);
    durable.eligible.add(run.queue);
  } else if (run.phase === "executing") {
    wait.delivered = true;
  }
}

/** The cancel of a run cancels its descendants, also those whose parents ended before: what a run leaves behind is its guardian's. */
function handOver(durable: Durable, run: RunRecord, children: readonly number[]): void {
  run.children = undefined;
  const heir = run.guardian === 0 ? undefined : durable.runs.get(run.guardian);
  for (const number of children) {
    const child = durable.runs.get(number);
    if (!child || phases[child.phase].final) continue;
    child.guardian = 0;
    if (heir) adopt(durable, heir, child);
  }
}

/** How many children are listed before those that have ended are left out. */
const childrenSwept = 1_024;

/** Notes that the cancel of one run cancels another. */
export function adopt(durable: Durable, guardian: RunRecord, run: RunRecord): void {
  run.guardian = guardian.number;
  guardian.children ??= [];
  const { length } = guardian.children;
  // At powers of two: a parent that goes on triggering for ever must not remember them all.
  if (length >= childrenSwept && (length & (length - 1)) === 0) {
    guardian.children = guardian.children.filter((number) => !phases[durable.runs.get(number)?.phase ?? "completed"].final);
  }
  guardian.children.push(run.number);
}

function concludeExtras(durable: Durable, run: RunRecord, { idempotency, debounceKey, batch, foundIn }: RunExtras): void {
  if (debounceKey !== "") collectNoMore(run, debounceKey);
  if (idempotency) {
    const { keys } = run.environment;
    const held = { taskId: run.taskId, key: idempotency.key, number: run.number };
    // What failed may be tried again; what returned, or was stopped by somebody, is done.
    if (run.phase === "failed" || run.phase === "expired") keys.release(held);
    else keys.noteEnd(held, run.phase === "completed" ? "completed" : "canceled");
  }
  if (batch !== 0) countEnd(durable, run, batch);
  if (foundIn) for (const other of foundIn) countEnd(durable, run, other);
}

/** A debounced run is delayed no longer: the next trigger makes another. */
function collectNoMore({ environment, taskId, number }: RunRecord, key: string): void {
  const name = debounceKeyOf(taskId, key);
  if (environment.debounces.get(name)?.number === number) environment.debounces.delete(name);
}

/** Nothing of the run is left anywhere: it may be forgotten once enough others have ended after it. */
export function retire(durable: Durable, run: RunRecord): void {
  if (run.retired || isAwaited(durable, run)) return;
  run.retired = true;
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

/** The queue of this name, made if there is none. */
export function queueOf(environment: Environment, name: string): QueueRecord {
  let queue = environment.queues.get(name);
  if (!queue) {
    queue = createQueue(name);
    environment.queues.set(name, queue);
  }
  return queue;
}

/**
 * Lets the queued runs of a task follow its declaration: into another queue, unless their trigger named one, and to another machine, unless they have started or their trigger named one.
 */
export function followDeclaration(durable: Durable, taskId: string, from: QueueRecord, to: QueueRecord, machine: Machine | undefined): void {
  for (const list of [...from.ready.values()]) {
    if (list.taskId !== taskId) continue;
    const runs: RunRecord[] = [];
    for (let run = list.queued.pop(); run; run = list.queued.pop()) {
      if (run.phase === "queued" && run.queue === from && run.version === list.version && run.machine === list.machine) runs.push(run);
    }
    for (const run of runs) {
      if (!run.queueNamed) run.queue = to;
      if (run.attempt === 0 && !run.extras?.askedMachine) run.machine = machine;
      readyListOf(run.queue, run).queued.push(run);
    }
  }
  durable.eligible.add(from);
  durable.eligible.add(to);
}

/** The first of a list of waiters whose wait still exists. */
export function openWaiterOf(durable: Durable, first: Waiter | undefined): Waiter | undefined {
  for (let waiter = first; waiter; waiter = waiter.next) {
    const parent = durable.runs.get(waiter.run);
    if (parent?.attempt === waiter.attempt && parent.waits?.has(waiter.waitId)) return waiter;
  }
  return undefined;
}

/** Whether a live attempt of another run may still need this run's result. */
function isAwaited(durable: Durable, run: RunRecord): boolean {
  return run.waiter !== undefined && openWaiterOf(durable, run.waiter) !== undefined;
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

/** A run names a payload. It does so for as long as it exists: runs that memory forgets are still in the log, and whoever deletes runs counts back. */
export function refer(environment: Environment, reference: string): void {
  const payload = environment.payloads.get(reference);
  if (!payload) throw new UnexpectedEvent(`a run refers to payload ${reference}, which is not stored`);
  payload.refs += 1;
}

/** A run names a payload no longer. */
export function unrefer(durable: Durable, environment: Environment, reference: string): void {
  const payload = environment.payloads.get(reference);
  if (!payload) return;
  payload.refs -= 1;
  if (payload.refs > 0) return;
  payload.freeMs = durable.now;
  durable.unreferenced.push({ environment, payload, sinceMs: durable.now });
}
