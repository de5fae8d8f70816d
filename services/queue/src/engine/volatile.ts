import type { Environment } from "./environment.js";
import { Fifo } from "./fifo.js";
import type { QueueRecord } from "./queue-record.js";
import type { RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";

/**
 * What a restart may forget: who is connected, who wants to hear of what, and what `place` has learnt. Workers and schedulers tell it again.
 */
export interface Volatile {
  /** Connections of sessions; a session without one has no stream now. */
  readonly connections: Map<SessionRecord, Connection>;
  readonly streams: Map<string, Connection>;
  /** When each session was last heard of, on the monotonic clock in milliseconds. */
  readonly heard: Map<SessionRecord, number>;
  /** Assignments that their worker has not accepted so far, in the order of their deadlines. */
  readonly unaccepted: Fifo<Unaccepted>;
  /** Subscribers that want the results of runs, by run number. */
  readonly results: Map<number, string[]>;
  /** Subscribers that want every change of runs, by run number. */
  readonly changes: Map<number, string[]>;
  /** Connections whose worker may have room since `place` looked. */
  readonly freed: Set<Connection>;
  readonly rooms: Map<Environment, Room>;
}

/** What `place` knows of the workers of an environment. */
export interface Room {
  /** Connections that had room for a task when last seen, the next in turn first. */
  readonly available: Map<string, Set<Connection>>;
  /** Queues that hold ready runs of a task for which no worker had room, the next in turn first. */
  readonly parked: Map<string, Set<QueueRecord>>;
}

/** The stream of a session. */
export interface Connection {
  readonly session: SessionRecord;
  readonly streamId: string;
  /** Address of the executor that relays. */
  readonly executor: string;
  readonly tasks: ReadonlySet<string>;
  /** The same, in the order of their turns; `turn` says whose is next. */
  readonly taskIds: readonly string[];
  turn: number;
  readonly slots: number;
  /** False once the stream has ended, or another took its place. */
  open: boolean;
  /** The worker takes no new work. */
  draining: boolean;
  /** Number of the last assignment that was sent; grows over all streams and owners of the session. */
  assignments: number;
  /** Frames sent so far. */
  frames: number;
  /** Frames received so far. */
  received: number;
}

/** An assignment that its worker has not accepted. */
export interface Unaccepted {
  readonly run: RunRecord;
  readonly nonce: bigint;
  readonly connection: Connection;
  readonly sequence: number;
  /** When it is offered elsewhere, on the monotonic clock in milliseconds; infinite until it has left. */
  deadline: number;
}

/** Nobody is connected. */
export function createVolatile(): Volatile {
  return {
    connections: new Map(),
    streams: new Map(),
    heard: new Map(),
    unaccepted: new Fifo(),
    results: new Map(),
    changes: new Map(),
    freed: new Set(),
    rooms: new Map(),
  };
}

/** The room of an environment. */
export function roomOf(volatile: Volatile, environment: Environment): Room {
  let room = volatile.rooms.get(environment);
  if (!room) {
    room = { available: new Map(), parked: new Map() };
    volatile.rooms.set(environment, room);
  }
  return room;
}

/** How many attempts more a worker takes. */
export function freeSlots(connection: Connection): number {
  return connection.open && !connection.draining ? connection.slots - connection.session.busy : 0;
}

/** Adds to a map of sets. */
export function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}
