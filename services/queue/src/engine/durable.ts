import { type Batches, createBatches } from "./batch-record.js";
import { createDues, type Due } from "./due.js";
import type { Environment } from "./environment.js";
import { Fifo } from "./fifo.js";
import { Heap } from "./heap.js";
import type { Lane } from "./lane.js";
import type { BacklogOptions } from "./packed-runs.js";
import type { PayloadRecord } from "./payload-record.js";
import type { QueueRecord } from "./queue-record.js";
import type { CreatedRuns, RunRecord } from "./run-record.js";
import { Runs } from "./runs.js";
import type { SessionRecord } from "./session-record.js";
import type { SweptHeap } from "./swept-heap.js";

/**
 * Everything that the log says. Replaying the log gives the same state exactly; only `apply` changes it.
 *
 * Besides the facts it holds indexes that `apply` keeps (due times, lists of ready runs): they follow from the facts, and `place` uses them up.
 */
export interface Durable {
  /** Time of the last event, in milliseconds of the Unix epoch; never goes back. */
  now: number;
  nextRun: number;
  nextSession: number;
  readonly environments: Map<string, Environment>;
  /** Live runs and recently finished ones. A finished run that is no longer here is read from the log. */
  readonly runs: Runs;
  readonly sessions: Map<number, SessionRecord>;
  /** The newest session of a worker, by environment and worker id. */
  readonly sessionOf: Map<string, SessionRecord>;
  /** What recent requests created, for repeats. */
  readonly requests: Map<string, CreatedRuns>;
  readonly requestOrder: Fifo<{ readonly key: string; readonly timeMs: number }>;
  /** Finished runs, oldest first, for forgetting them. */
  readonly finished: Fifo<RunRecord>;
  /** Bytes of payload and output that finished runs keep in memory. */
  finishedBytes: number;
  /** Delays and times to live of runs, by due time. */
  readonly due: SweptHeap<Due>;
  readonly batches: Batches;
  /** Payloads to which nothing may refer, oldest first; `decideTick` takes them out. */
  readonly unreferenced: Fifo<{ readonly environment: Environment; readonly payload: PayloadRecord; readonly sinceMs: number }>;
  /** Environments in which something may have become placeable since `place` looked. */
  readonly eligible: Set<Environment>;
  /** Queues and keys that a rate limit holds up, by the time when it lets go. */
  readonly rateDue: Heap<RateDue>;
  /** Keys without runs that their rate limit still remembers, by the time when it has forgotten them. */
  readonly resting: Heap<{ readonly atMs: number; readonly lane: Lane }>;
}

/** When a rate limit lets a queue, or one of its keys, go on. */
export interface RateDue {
  readonly atMs: number;
  readonly held: QueueRecord | Lane;
}

/** How long, and how many, requests are kept for repeats. */
export const requestRetention = { ms: 10 * 60_000, count: 200_000 } as const;

/** How many finished runs stay in memory, and with how many bytes of payloads and outputs. */
export const finishedRetention = { count: 20_000, bytes: 32 * 1024 * 1024 } as const;

/** The state of an empty log. `backlog`: how a long one is kept, which changes nothing of what it says. */
export function createDurable(backlog?: BacklogOptions): Durable {
  return {
    now: 0,
    nextRun: 1,
    nextSession: 1,
    environments: new Map(),
    runs: new Runs(backlog),
    sessions: new Map(),
    sessionOf: new Map(),
    requests: new Map(),
    requestOrder: new Fifo(),
    finished: new Fifo(),
    finishedBytes: 0,
    due: createDues(),
    batches: createBatches(),
    unreferenced: new Fifo(),
    eligible: new Set(),
    rateDue: new Heap((a, b) => a.atMs < b.atMs),
    resting: new Heap((a, b) => a.atMs < b.atMs),
  };
}

/** Key of a request among all environments' requests. */
export function requestKey(environment: string, requestId: string): string {
  return `${environment}\n${requestId}`;
}

/** Key of a worker among all environments' workers. */
export function workerKey(environment: string, workerId: string): string {
  return `${environment}\n${workerId}`;
}
