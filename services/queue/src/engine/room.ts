import type { Environment } from "./environment.js";
import type { Heap } from "./heap.js";
import type { Machine } from "./machine.js";
import type { Need, NeedKind } from "./need.js";
import { createRunHeap } from "./ready-runs.js";
import type { RunRecord } from "./run-record.js";
import { fits, type SessionRecord } from "./session-record.js";
import { startsRuns } from "./version-record.js";
import type { Connection, Volatile } from "./volatile.js";

/**
 * What `place` knows of the workers of an environment. Everything that waits is found by what it needs, so that nothing is looked at in vain.
 */
export interface Room {
  /** By version and demand: the workers that had room for it when last seen, the next in turn first. Made when first asked for. */
  readonly supply: Map<string, Map<string, Set<Connection>>>;
  /** By task: what ready runs need and no worker had room for. */
  readonly parked: Map<string, Set<Need>>;
  /** By session and machine: runs whose wait has ended and whose worker has no room for their machine. */
  readonly resumes: Map<SessionRecord, Map<Machine, Heap<RunRecord>>>;
  /** Versions of connected workers that runs may start on which are bound to none, in the order in which they are asked. Undefined: to be found again. */
  order: readonly string[] | undefined;
}

/** The room of an environment. */
export function roomOf(volatile: Volatile, environment: Environment): Room {
  let room = volatile.rooms.get(environment);
  if (!room) {
    room = { supply: new Map(), parked: new Map(), resumes: new Map(), order: undefined };
    volatile.rooms.set(environment, room);
  }
  return room;
}

/** Workers came, or versions have another standing: who has room for what is found again, and what is parked is tried again. */
export function forgetSupply(volatile: Volatile, environment: Environment): void {
  const room = roomOf(volatile, environment);
  room.supply.clear();
  room.order = undefined;
}

/** How many attempts more a worker takes. */
export function freeSlots(connection: Connection): number {
  return connection.open && !connection.draining ? connection.slots - connection.session.busy : 0;
}

/** The worker that is next in turn for a need. Those that have no room are dropped until they are freed. */
export function workerFor(volatile: Volatile, environment: Environment, need: Need): Connection | undefined {
  const room = roomOf(volatile, environment);
  if (need.version !== "") return nextOf(volatile, room, environment, need.version, need);
  for (const version of orderOf(volatile, room, environment)) {
    const found = nextOf(volatile, room, environment, version, need);
    if (found) return found;
  }
  return undefined;
}

/** Whether a worker may execute runs with this need, and has room. */
function serves(volatile: Volatile, connection: Connection, need: Need): boolean {
  const { session } = connection;
  if (!fits(session, need.machine) || !knows(connection, need.kind)) return false;
  if (need.version !== "") return need.version === session.version;
  return orderOf(volatile, roomOf(volatile, session.environment), session.environment).includes(session.version);
}

/** Others have their turn before this worker gets more of the same. */
export function takeTurn(volatile: Volatile, connection: Connection, need: Need): void {
  const { session } = connection;
  const supply = roomOf(volatile, session.environment).supply.get(session.version)?.get(need.demand);
  if (!supply || supply.size === 1) return;
  supply.delete(connection);
  supply.add(connection);
}

/** A worker may have room again. */
export function offer(volatile: Volatile, connection: Connection): void {
  if (connection.exhausted.size === 0) return;
  const supply = roomOf(volatile, connection.session.environment).supply.get(connection.session.version);
  if (supply) for (const demand of connection.exhausted) supply.get(demand)?.add(connection);
  connection.exhausted.clear();
}

/** Notes that a need waits for a worker. */
export function park(room: Room, need: Need): void {
  const needs = room.parked.get(need.taskId);
  if (needs) needs.add(need);
  else room.parked.set(need.taskId, new Set([need]));
}

/**
 * Takes out what waits for what a worker has, and whose turn it is: of the needs that it serves the one whose first line waits longest. Those that nothing waits for any more come out, too.
 * Costs as much as there are parked needs of its tasks.
 */
export function unpark(volatile: Volatile, connection: Connection, free: (need: Need) => void): boolean {
  const { parked } = roomOf(volatile, connection.session.environment);
  let next: Need | undefined;
  const look = (taskId: string) => {
    const needs = parked.get(taskId);
    if (!needs) return;
    for (const need of needs) {
      if (!need.lines.head) {
        needs.delete(need);
        free(need);
      } else if ((!next?.lines.head || need.lines.head.ticket < next.lines.head.ticket) && serves(volatile, connection, need)) {
        next = need;
      }
    }
    if (needs.size === 0) parked.delete(taskId);
  };
  if (parked.size < connection.taskIds.length) {
    for (const taskId of [...parked.keys()]) if (connection.tasks.has(taskId)) look(taskId);
  } else {
    for (const taskId of connection.taskIds) look(taskId);
  }
  if (!next) return false;
  const needs = parked.get(next.taskId);
  needs?.delete(next);
  if (needs?.size === 0) parked.delete(next.taskId);
  free(next);
  return true;
}

/** Notes that a run could be resumed, if its worker had room for its machine. */
export function parkResume(room: Room, session: SessionRecord, machine: Machine, run: RunRecord): void {
  let heaps = room.resumes.get(session);
  if (!heaps) {
    heaps = new Map();
    room.resumes.set(session, heaps);
  }
  let heap = heaps.get(machine);
  if (!heap) {
    heap = createRunHeap();
    heaps.set(machine, heap);
  }
  heap.push(run);
}

/** Takes the next run that waited for room for its machine and has it. */
export function unparkResume(room: Room, session: SessionRecord): RunRecord | undefined {
  const heaps = room.resumes.get(session);
  if (!heaps) return undefined;
  for (const [machine, heap] of heaps) {
    for (let run = heap.peek(); run; run = heap.peek()) {
      const meant = run.phase === "resumable" && run.session === session && run.list === undefined;
      if (meant && !fits(session, machine)) break;
      heap.pop();
      if (meant) return run;
    }
    if (heap.size === 0) heaps.delete(machine);
  }
  if (heaps.size === 0) room.resumes.delete(session);
  return undefined;
}

/** Whether a worker understands what it would be sent. */
function knows({ journal }: Connection, kind: NeedKind): boolean {
  return journal || kind !== "revive";
}

function nextOf(volatile: Volatile, room: Room, environment: Environment, version: string, need: Need): Connection | undefined {
  const supply = supplyOf(volatile, room, environment, version, need);
  for (const connection of supply) {
    if (freeSlots(connection) > 0 && fits(connection.session, need.machine)) return connection;
    supply.delete(connection);
    connection.exhausted.add(need.demand);
  }
  return undefined;
}

function supplyOf(volatile: Volatile, room: Room, environment: Environment, version: string, { demand, taskId, kind }: Need): Set<Connection> {
  let demands = room.supply.get(version);
  if (!demands) {
    demands = new Map();
    room.supply.set(version, demands);
  }
  let supply = demands.get(demand);
  if (!supply) {
    supply = new Set();
    for (const connection of volatile.connections.values()) {
      const { session } = connection;
      if (connection.open && session.environment === environment && session.version === version && connection.tasks.has(taskId) && knows(connection, kind))
        supply.add(connection);
    }
    demands.set(demand, supply);
  }
  return supply;
}

function orderOf(volatile: Volatile, room: Room, environment: Environment): readonly string[] {
  if (room.order) return room.order;
  const versions = new Set<string>();
  for (const { open, session } of volatile.connections.values()) {
    if (open && session.environment === environment && startsRuns(environment, session.version)) versions.add(session.version);
  }
  const age = (version: string) => environment.versions.byNumber.get(version)?.index ?? 0;
  // The current one is the newest of those that start runs.
  room.order = [...versions].sort((a, b) => age(b) - age(a));
  return room.order;
}
