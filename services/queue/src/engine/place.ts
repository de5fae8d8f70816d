import { runAssigned, runResumed } from "./events.js";
import { hasSlot, head, type QueueRecord } from "./queue-record.js";
import type { RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import { addTo, type Connection, freeSlots, type Room, roomOf } from "./volatile.js";

/** Assignments of one pass: a batch stays small enough to be on disk soon. The rest is placed by the next. */
const passSize = 2_000;

/**
 * Decides which runs start, and on which session. Called when a batch closes, so that a run's creation and its assignment share an append.
 *
 * Queues take turns, one run each; a queue that has something ready and no worker for it is parked under that task until a worker has room. So a pass costs the assignments that it
 * makes and the queues that became eligible; nothing walks the backlog. Returns whether more could be placed at once.
 */
export function place(step: Step): boolean {
  const { durable, volatile } = step;
  let left = passSize;
  for (const queue of durable.eligible) {
    if (left === 0) return true;
    durable.eligible.delete(queue);
    // Back at the end of the turn; a Set visits what is added while it is walked.
    if (placeOne(step, queue)) {
      durable.eligible.add(queue);
      left -= 1;
    }
  }
  for (const connection of volatile.freed) {
    if (left === 0) return true;
    left -= fill(step, connection, left);
    if (left > 0) volatile.freed.delete(connection);
  }
  return false;
}

/** Gives a worker with room what was parked for want of it; its tasks take turns, and within a task the queues. Returns how many runs it got. */
function fill(step: Step, connection: Connection, most: number): number {
  if (freeSlots(connection) <= 0) return 0;
  const room = roomOf(step.volatile, connection.session.environment);
  const tasks = connection.taskIds;
  for (const taskId of tasks) addTo(room.available, taskId, connection);
  let placed = 0;
  let idle = room.parked.size === 0 ? tasks.length : 0;
  while (idle < tasks.length && placed < most && freeSlots(connection) > 0) {
    const taskId = tasks[connection.turn % tasks.length] as string;
    connection.turn += 1;
    const parked = room.parked.get(taskId);
    const queue = parked?.values().next().value;
    if (!parked || !queue) {
      idle += 1;
      continue;
    }
    parked.delete(queue);
    if (parked.size === 0) room.parked.delete(taskId);
    if (!placeOne(step, queue)) continue;
    placed += 1;
    idle = 0;
    addTo(room.parked, taskId, queue);
  }
  return placed;
}

/** Starts, or resumes, the oldest run of a queue that can. Parks the queue if only workers are missing. */
function placeOne(step: Step, queue: QueueRecord): boolean {
  const slot = hasSlot(queue);
  let best: RunRecord | undefined = slot ? head(queue.resumes.queued, queue, "resumable") : undefined;
  let worker: Connection | undefined;
  let blocked: RunRecord[] | undefined;
  for (const [taskId, list] of queue.ready) {
    const run = head(list.rearmed, queue, "rearmed") ?? head(list.queued, queue, "queued");
    if (!run) {
      queue.ready.delete(taskId);
      continue;
    }
    if (run.phase === "queued" && !slot) continue;
    if (best && best.number < run.number) continue;
    const connection = workerFor(roomOf(step.volatile, run.environment), taskId);
    if (connection) {
      best = run;
      worker = connection;
    } else {
      blocked ??= [];
      blocked.push(run);
    }
  }
  if (!best) {
    if (blocked) for (const run of blocked) addTo(roomOf(step.volatile, run.environment).parked, run.taskId, queue);
    return false;
  }
  if (best.phase === "resumable") {
    queue.resumes.queued.pop();
    emit(step, runResumed(best, endedWaits(best)));
  } else if (worker) {
    const list = queue.ready.get(best.taskId);
    (best.phase === "rearmed" ? list?.rearmed : list?.queued)?.pop();
    emit(step, runAssigned(best, worker.session, nonceOf(step)));
    takeTurn(roomOf(step.volatile, best.environment), best.taskId, worker);
  }
  return true;
}

/** Waits that have ended and whose results the worker has not got. */
function endedWaits(run: RunRecord): number[] {
  const ended: number[] = [];
  if (run.waits) for (const [id, wait] of run.waits) if (wait.pending === 0 && !wait.delivered) ended.push(id);
  return ended;
}

/** The connection that is next in turn for a task; those that have no room are dropped until they are freed. */
function workerFor(room: Room, taskId: string): Connection | undefined {
  const available = room.available.get(taskId);
  if (!available) return undefined;
  for (const connection of available) {
    if (freeSlots(connection) > 0) return connection;
    available.delete(connection);
  }
  room.available.delete(taskId);
  return undefined;
}

function takeTurn(room: Room, taskId: string, connection: Connection): void {
  const available = room.available.get(taskId);
  if (!available || available.size === 1) return;
  available.delete(connection);
  available.add(connection);
}

function nonceOf(step: Step): bigint {
  const word = () => BigInt(Math.floor(step.random() * 2 ** 32));
  return (word() << 32n) | word();
}
