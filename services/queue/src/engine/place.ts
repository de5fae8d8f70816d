import { decideDue } from "./decide-tick.js";
import { runAssigned, runResumed } from "./events.js";
import { hasSlot, head, headOfResumes, type QueueRecord, type ReadyList } from "./queue-record.js";
import { freeSlots, offer, park, parkResume, roomOf, takeTurn, unpark, unparkResume, workerFor } from "./room.js";
import type { RunRecord } from "./run-record.js";
import { fits } from "./session-record.js";
import { emit, type Step } from "./step.js";
import type { Connection } from "./volatile.js";

/** Assignments of one pass: a batch stays small enough to be on disk soon. The rest is placed by the next. */
const passSize = 2_000;

/**
 * Decides which runs start, and on which session. Called when a batch closes, so that a run's creation and its assignment share an append.
 *
 * Queues take turns, one run each; a queue that has something ready and no worker for it is parked under what it needs until a worker has room. So a pass costs the assignments that it
 * makes and the queues that became eligible; nothing walks the backlog. Workers that have room again come first, and of them those of the current version: what waited longest is served
 * before what came just now, and an older version gets what the current one has no room for. Returns whether more could be placed at once.
 */
export function place(step: Step): boolean {
  const { durable, volatile } = step;
  decideDue(step);
  let left = passSize;
  // All of them before the first gets work: an older run may want a later one.
  for (const connection of volatile.freed) if (freeSlots(connection) > 0) offer(volatile, connection);
  for (const current of [true, false]) {
    for (const connection of volatile.freed) {
      if (isCurrent(connection) !== current) continue;
      if (left === 0) return true;
      left -= fill(step, connection, left);
      if (left > 0) volatile.freed.delete(connection);
    }
  }
  for (const queue of durable.eligible) {
    if (left === 0) return true;
    durable.eligible.delete(queue);
    // Back at the end of the turn; a Set visits what is added while it is walked.
    if (placeOne(step, queue)) {
      durable.eligible.add(queue);
      left -= 1;
    }
  }
  return false;
}

function isCurrent({ session }: Connection): boolean {
  return session.version === session.environment.versions.current?.version;
}

/** Gives a worker with room what was parked for want of it; its tasks take turns. Returns how many runs it got. */
function fill(step: Step, connection: Connection, most: number): number {
  if (!connection.open) return 0;
  const { volatile } = step;
  const room = roomOf(volatile, connection.session.environment);
  let placed = room.resumes.size === 0 ? 0 : resumeParked(step, connection, most);
  if (freeSlots(connection) <= 0) return placed;
  const tasks = connection.taskIds;
  let idle = room.parked.size === 0 ? tasks.length : 0;
  while (idle < tasks.length && placed < most && freeSlots(connection) > 0) {
    const taskId = tasks[connection.turn % tasks.length] as string;
    connection.turn += 1;
    const parked = unpark(volatile, connection, taskId);
    if (!parked) {
      idle += 1;
      continue;
    }
    // Also if its queue is full: what else waits for this task has not had its turn.
    idle = 0;
    if (!placeOne(step, parked.queue)) continue;
    placed += 1;
    park(room, parked.need, parked.queue);
  }
  return placed;
}

/** Resumes runs of a worker that waited for room for their machine. Their queue may have no slot for them (any more): then they wait for that. */
function resumeParked(step: Step, connection: Connection, most: number): number {
  const room = roomOf(step.volatile, connection.session.environment);
  let placed = 0;
  while (placed < most) {
    const run = unparkResume(room, connection.session);
    if (!run) break;
    if (hasSlot(run.queue)) {
      emit(step, runResumed(run, endedWaits(run)));
      placed += 1;
    } else {
      run.queue.resumes.push(run);
    }
  }
  return placed;
}

/** Starts, or resumes, the oldest run of a queue that can. Parks the queue if only workers are missing. */
function placeOne(step: Step, queue: QueueRecord): boolean {
  const { volatile } = step;
  const slot = hasSlot(queue);
  let best: RunRecord | undefined = slot ? nextResume(step, queue) : undefined;
  let from: ReadyList | undefined;
  let worker: Connection | undefined;
  let blocked: { run: RunRecord; list: ReadyList }[] | undefined;
  for (const [key, list] of queue.ready) {
    const [rearmed, queued] = [head(queue, list, "rearmed"), head(queue, list, "queued")];
    if (!rearmed && !queued) {
      queue.ready.delete(key);
      continue;
    }
    // The older of the two: a younger run that has its slot must not hide it from other lists.
    const run = slot && queued && (!rearmed || queued.number < rearmed.number) ? queued : rearmed;
    if (!run) continue;
    if (best && best.number < run.number) continue;
    const connection = workerFor(volatile, run.environment, list);
    if (connection) {
      best = run;
      from = list;
      worker = connection;
    } else {
      blocked ??= [];
      blocked.push({ run, list });
    }
  }
  if (!best) {
    if (blocked) for (const { run, list } of blocked) park(roomOf(volatile, run.environment), list, queue);
    return false;
  }
  if (best.phase === "resumable") {
    queue.resumes.pop();
    emit(step, runResumed(best, endedWaits(best)));
  } else if (worker && from) {
    (best.phase === "rearmed" ? from.rearmed : from.queued).pop();
    emit(step, runAssigned(best, worker.session, nonceOf(step)));
    takeTurn(volatile, worker, from);
  }
  return true;
}

/** The oldest run of a queue that may be resumed. Those whose worker has no room for their machine are parked until it has. */
function nextResume({ volatile }: Step, queue: QueueRecord): RunRecord | undefined {
  for (let run = headOfResumes(queue); run; run = headOfResumes(queue)) {
    if (!run.machine || !run.session || fits(run.session, run.machine)) return run;
    queue.resumes.pop();
    parkResume(roomOf(volatile, run.environment), run.session, run.machine, run);
  }
  return undefined;
}

/** Waits that have ended and whose results the worker has not got. */
function endedWaits(run: RunRecord): number[] {
  const ended: number[] = [];
  if (run.waits) for (const [id, wait] of run.waits) if (wait.pending === 0 && !wait.delivered) ended.push(id);
  return ended;
}

function nonceOf(step: Step): bigint {
  const word = () => BigInt(Math.floor(step.random() * 2 ** 32));
  return (word() << 32n) | word();
}
