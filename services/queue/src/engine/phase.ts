import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/**
 * Where a run stands. Everything that is counted (queue slots, worker slots) is derived from this table and nothing else, so that nothing can be counted twice.
 */
export type Phase =
  /** Delayed by its trigger, and not in its queue so far. */
  | "deferred"
  /** In its queue's ready list, without a slot. */
  | "queued"
  /** A long retry delay passes; no slot. */
  | "delayed"
  /** A short retry delay passes; the queue slot is kept, so that one-at-a-time queues stay in order. */
  | "backoff"
  /** The short retry delay has passed: in the ready list, with its slot, until a worker has room. */
  | "rearmed"
  /** Assigned to a session that has not yet accepted. */
  | "assigned"
  /** Accepted: a worker executes it. */
  | "executing"
  /** Its code waits for other runs; the attempt stays with its worker. */
  | "waiting"
  /** A wait has ended: in the list of resumes, until the queue has a slot. */
  | "resumable"
  /** Its code waited when it lost its worker; no session, no slot. */
  | "parked"
  /** A wait of a parked run has ended: in the ready list, until a worker has room and there are slots; it goes on from its journal. */
  | "revived"
  /** Cancelled; the worker has not yet confirmed that the code has ended. */
  | "canceling"
  /** Cancelled while it waited; as canceling, but without slots. */
  | "cancelingIdle"
  /** Final. */
  | "completed"
  /** Final. */
  | "failed"
  /** Final: its time to live ended before it started. */
  | "expired"
  /** Final. */
  | "canceled";

/** What a phase means for everything that is derived from it. */
interface PhaseFacts {
  /** In a ready list: a worker would do. */
  readonly ready: boolean;
  /** Holds a slot of its queue, of its key in it, of its limits and of the environment. */
  readonly slot: boolean;
  /** Does so without a worker. */
  readonly keeps: boolean;
  /** Holds a slot of its worker. */
  readonly worker: boolean;
  /** Belongs to a session, which must report about it. */
  readonly session: boolean;
  /** For everybody outside, the run has ended. */
  readonly final: boolean;
  /** Nothing of it is left on any worker. */
  readonly settled: boolean;
  /** What the API says. A queued run of a task that nobody has declared is PENDING_VERSION. */
  readonly state: RunState;
}

const facts = (state: RunState, ...held: ("ready" | "slot" | "worker" | "session" | "final" | "settled")[]): PhaseFacts => ({
  ready: held.includes("ready"),
  slot: held.includes("slot"),
  keeps: held.includes("slot") && !held.includes("worker"),
  worker: held.includes("worker"),
  session: held.includes("session"),
  final: held.includes("final"),
  settled: held.includes("settled"),
  state,
});

/** The table. */
export const phases: Readonly<Record<Phase, PhaseFacts>> = {
  deferred: facts(RunState.DELAYED),
  queued: facts(RunState.QUEUED, "ready"),
  delayed: facts(RunState.QUEUED),
  backoff: facts(RunState.EXECUTING, "slot"),
  rearmed: facts(RunState.EXECUTING, "ready", "slot"),
  assigned: facts(RunState.DEQUEUED, "slot", "worker", "session"),
  executing: facts(RunState.EXECUTING, "slot", "worker", "session"),
  waiting: facts(RunState.WAITING, "session"),
  resumable: facts(RunState.WAITING, "session"),
  parked: facts(RunState.WAITING),
  revived: facts(RunState.WAITING, "ready"),
  canceling: facts(RunState.CANCELED, "slot", "worker", "session", "final"),
  cancelingIdle: facts(RunState.CANCELED, "session", "final"),
  completed: facts(RunState.COMPLETED, "final", "settled"),
  failed: facts(RunState.FAILED, "final", "settled"),
  expired: facts(RunState.EXPIRED, "final", "settled"),
  canceled: facts(RunState.CANCELED, "final", "settled"),
};
