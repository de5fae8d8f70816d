import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { countEnd } from "./batch-transitions.js";
import { type Durable, finishedRetention } from "./durable.js";
import { debounceKeyOf, type Environment, ttlOf } from "./environment.js";
import { endJournal, noteDelivered, noteEnded } from "./journal.js";
import { followTask, leaveAll } from "./membership.js";
import type { Need } from "./need.js";
import { reviveRun } from "./park.js";
import { type Phase, phases } from "./phase.js";
import type { QueueRecord } from "./queue-record.js";
import { giveSlots, leaveReady, makeReady, takeSlots } from "./ready.js";
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

/** Delays a run, as its trigger asked. */
export function defer(durable: Durable, run: RunRecord, atMs: number): void {
  // One that it has already serves, if it comes earlier: it moves on when its time has come.
  if (run.phase !== "deferred" || atMs < run.queueMs) durable.due.push({ atMs, run, attempt: 0, waitId: 0 });
  queueAt(run, atMs);
  setPhase(durable, run, "deferred");
}

/** Says when a run enters its queue, and so its place there: its priority makes it older. */
export function queueAt(run: RunRecord, atMs: number): void {
  run.queueMs = atMs;
  run.orderMs = atMs - (run.extras?.priorityMs ?? 0);
}

/** Puts a run into its queue for the first time: from now on its time to live counts. */
export function enterQueue(durable: Durable, run: RunRecord): void {
  if (run.phase === "deferred") {
    if (run.extras?.debounceKey) collectNoMore(run, run.extras.debounceKey);
    // Declarations that came meanwhile moved the runs of queues only.
    followTask(durable, run);
  }
  const ttlSeconds = run.extras?.askedTtlSeconds ?? ttlOf(run.environment.tasks.get(run.taskId));
  if (ttlSeconds > 0) {
    run.extras ??= createExtras();
    run.extras.ttlSeconds = ttlSeconds;
    run.extras.expireMs = durable.now + ttlSeconds * 1_000;
    durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0, waitId: 0 });
  }
  enqueue(durable, run);
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
  makeReady(durable, run, run.phase === "rearmed" ? "rearmed" : run.phase === "revived" ? "revive" : "start");
}

/** Lets a run's next attempt wait until `atMs`; at once if that has come. */
export function delay(durable: Durable, run: RunRecord, atMs: number): void {
  if (atMs <= durable.now) return enqueue(durable, run);
  // A run that gave its slot back (its code waited when it failed) must not take one past the limit.
  const keepsSlot = phases[run.phase].slot && atMs - durable.now < shortDelayMs;
  run.retryAtMs = atMs;
  setPhase(durable, run, keepsSlot ? "backoff" : "delayed");
  durable.due.push({ atMs, run, attempt: run.attempt, waitId: 0 });
}

/** Ends the present attempt: what belonged to it alone is forgotten. */
export function endAttempt(durable: Durable, run: RunRecord): void {
  const waits = run.waits;
  run.waits = undefined;
  run.commands = undefined;
  if (run.journal) run.journal = endJournal(run.journal);
  if (waits) for (const wait of waits.values()) releaseChildren(durable, wait);
}

/** For everybody outside, the run ends now: whoever waits for it is told. */
export function conclude(durable: Durable, run: RunRecord): void {
  run.finishMs = durable.now;
  run.journal = undefined;
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
  noteEnded(run, wait);
  if (run.phase === "waiting") {
    setPhase(durable, run, "resumable");
    makeReady(durable, run, "resume");
  } else if (run.phase === "parked") {
    reviveRun(durable, run);
  } else if (run.phase === "executing" || run.phase === "assigned") {
    wait.unseen = run.phase === "assigned";
    noteDelivered(run, wait);
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
    if (wait) noteDelivered(run, wait);
  }
  if (waits.size <= keptWaits) return;
  for (const [id, wait] of waits) {
    if (waits.size <= keptWaits || !wait.delivered) break;
    if (wait.commandId > 0) continue;
    waits.delete(id);
    releaseChildren(durable, wait);
  }
}

/** Lets the queued runs of a task follow its declaration, see {@link followTask}. Costs as much as the environment has queues, and keys in those that have such runs. */
export function followDeclaration(durable: Durable, environment: Environment, taskId: string, from: QueueRecord): void {
  const numbers: number[][] = [];
  const concerns = ({ need }: { need: Need }) => need.kind === "start" && need.taskId === taskId;
  for (const queue of environment.queues.values()) {
    if (![...queue.lines.values()].some(concerns)) continue;
    for (const lane of [queue.keyless, ...queue.lanes.values()]) {
      for (const list of lane.lists) if (concerns(list.line)) numbers.push(list.runs.numbers((each) => each.list === list));
    }
  }
  // One by one: a long backlog does not fit into memory as records.
  for (const number of numbers.flat()) {
    const run = durable.runs.get(number);
    if (!run) continue;
    leaveReady(durable, run);
    followTask(durable, run, from);
    makeReady(durable, run, "start");
  }
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
