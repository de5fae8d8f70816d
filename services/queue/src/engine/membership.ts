import type { Durable } from "./durable.js";
import { type Environment, machineOf, queueNameOf, type TaskRecord } from "./environment.js";
import { limitOf } from "./flow.js";
import { type Lane, laneOf } from "./lane.js";
import { isForgettable, joinLimit, type LimitRecord, type LimitSlots, leaveLimit } from "./limit-record.js";
import { type QueueRecord, queueOf, taskPrefix } from "./queue-record.js";
import { restOfLane } from "./rates.js";
import type { RunRecord } from "./run-record.js";

/** A live run belongs to a lane. */
export function joinLane(lane: Lane): void {
  lane.members += 1;
  if (lane.members === 1 && lane.key !== "") lane.queue.keyCount += 1;
}

/** It does so no longer. Keys come and go by the hundred thousand: what nothing is left of is dropped. */
function leaveLane(durable: Durable, lane: Lane): void {
  lane.members -= 1;
  if (lane.members > 0) return;
  if (lane.key === "") return;
  lane.queue.keyCount -= 1;
  rest(durable, lane);
  dropRested(durable);
}

/** A key without runs is dropped, once its rate limit has forgotten them. Also called when that limit has changed. */
export function rest(durable: Durable, lane: Lane): void {
  const atMs = restOfLane(lane);
  if (atMs > durable.now) durable.resting.push({ atMs, lane });
  else lane.queue.lanes.delete(lane.key);
}

/** Drops keys that nothing is left of, now that their rate limit has forgotten them, too. */
function dropRested({ resting, now }: Durable): void {
  for (let entry = resting.peek(); entry && entry.atMs <= now; entry = resting.peek()) {
    resting.pop();
    const { lane } = entry;
    const { lanes } = lane.queue;
    // Another one may have its key by now.
    if (lane.members === 0 && restOfLane(lane) <= now && lanes.get(lane.key) === lane) lanes.delete(lane.key);
  }
}

/** The slots that a new member of a lane takes when it starts; undefined for none. */
export function joinLimits(lane: Lane, limits: readonly LimitRecord[] | undefined): readonly LimitSlots[] | undefined {
  return limits?.map((limit) => joinLimit(limit, lane.key));
}

function leaveLimits({ flow }: Environment, slots: readonly LimitSlots[] | undefined): void {
  if (!slots) return;
  for (const each of slots) {
    leaveLimit(each);
    if (isForgettable(each.limit)) flow.limits.delete(each.limit.name);
  }
}

/** A run is over: its queue, key and limits know it no longer. */
export function leaveAll(durable: Durable, run: RunRecord): void {
  leaveLimits(run.environment, run.slots);
  run.slots = undefined;
  leaveLane(durable, run.lane);
}

/**
 * Lets a run that holds no slot, and is in no list, follow the declaration of its task: into another queue and to other limits, and before its first attempt to another machine, as far as its
 * trigger named none. `from`: the queue that the task had before; a run that stands in another stays there. Undefined: it moves from anywhere.
 */
export function followTask(durable: Durable, run: RunRecord, from?: QueueRecord): void {
  const { environment, lane } = run;
  const task = environment.tasks.get(run.taskId);
  if (run.attempt === 0 && !run.extras?.askedMachine) run.machine = machineOf(task);
  const stays = run.queueNamed || (from !== undefined && run.queue !== from);
  const queue = stays ? run.queue : queueOf(environment, queueNameOf(run.taskId, task));
  const limits = limitsOf(environment, task, run.extras?.askedLimits);
  if (queue === run.queue && sameLimits(run.slots, limits)) return;
  const before = run.slots;
  run.queue = queue;
  run.lane = laneOf(queue, lane.key);
  joinLane(run.lane);
  run.slots = joinLimits(run.lane, limits);
  leaveLimits(environment, before);
  leaveLane(durable, lane);
}

/** Limits that a run of a task holds; undefined for none. The same one twice counts once. */
export function limitsOf({ flow }: Environment, task: TaskRecord | undefined, asked: readonly string[] | undefined): readonly LimitRecord[] | undefined {
  if (!asked) return task?.limits;
  const own = task?.limits?.filter(({ name }) => name === ownLimitOf(task)) ?? [];
  const limits = new Set([...own, ...asked.map((name) => limitOf(flow, name))]);
  return limits.size === 0 ? undefined : [...limits];
}

/** Name of the limit that a task has for itself. */
export function ownLimitOf({ declaration }: Pick<TaskRecord, "declaration">): string {
  return `${taskPrefix}${declaration.id}`;
}

/** Whether a queue of this name would be a known one, though no worker has declared it by itself. */
export function isQueueOfTask({ tasks }: Environment, name: string): boolean {
  return name.startsWith(taskPrefix) && tasks.has(name.slice(taskPrefix.length));
}

function sameLimits(slots: readonly LimitSlots[] | undefined, limits: readonly LimitRecord[] | undefined): boolean {
  if (!slots || !limits) return slots === limits;
  return slots.length === limits.length && slots.every(({ limit }, i) => limit === limits[i]);
}
