import type { ConcurrencyLimitDeclaration, QueueDeclaration, TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Environment } from "./environment.js";
import { Fifo } from "./fifo.js";
import type { Room } from "./room.js";
import type { RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { defaultVersionPatienceMs } from "./version-record.js";

/**
 * What a restart may forget: who is connected, who wants to hear of what, and what `place` has learnt. Workers and schedulers tell it again.
 */
export interface Volatile {
  /** Connections of sessions; a session without one has no stream now. */
  readonly connections: Map<SessionRecord, Connection>;
  readonly streams: Map<string, Connection>;
  /** When each session was last heard of, on the monotonic clock in milliseconds. */
  readonly heard: Map<SessionRecord, number>;
  /** When a run was last told of the end of a wait, on the monotonic clock in milliseconds. */
  readonly told: WeakMap<RunRecord, number>;
  /** Assignments that their worker has not accepted so far, in the order of their deadlines. */
  readonly unaccepted: Fifo<Unaccepted>;
  /** Subscribers that want the results of runs, by run number. */
  readonly results: Map<number, string[]>;
  /** Subscribers that want every change of runs, by run number. */
  readonly changes: Map<number, string[]>;
  /** Connections whose worker may have room since `place` looked. */
  readonly freed: Set<Connection>;
  readonly rooms: Map<Environment, Room>;
  /** Versions that ready runs are bound to and no connected worker has, with the time since when. */
  readonly absent: Map<Environment, Map<string, number>>;
  /** How long such runs wait, in milliseconds, before they start on the current version. */
  readonly versionPatienceMs: number;
}

/** What a worker declares of its code. */
export interface Declarations {
  readonly tasks: readonly TaskDeclaration[];
  readonly queues: readonly QueueDeclaration[];
  readonly limits: readonly ConcurrencyLimitDeclaration[];
}

/** The stream of a session. */
export interface Connection {
  readonly session: SessionRecord;
  readonly streamId: string;
  /** Address of the executor that relays. */
  readonly executor: string;
  /** What its Hello declared. */
  readonly declarations: Declarations;
  readonly tasks: ReadonlySet<string>;
  readonly taskIds: readonly string[];
  readonly slots: number;
  /** It understands journals. */
  readonly journal: boolean;
  /** Demands for which it had no room when last asked, see Room.supply. */
  readonly exhausted: Set<string>;
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
export function createVolatile(versionPatienceMs = defaultVersionPatienceMs): Volatile {
  return {
    connections: new Map(),
    streams: new Map(),
    heard: new Map(),
    told: new WeakMap(),
    unaccepted: new Fifo(),
    results: new Map(),
    changes: new Map(),
    freed: new Set(),
    rooms: new Map(),
    absent: new Map(),
    versionPatienceMs,
  };
}
