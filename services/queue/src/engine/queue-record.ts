import { Heap } from "./heap.js";
import type { RunRecord } from "./run-record.js";

/** A queue of an environment: who is next, and how many may execute at once. */
export interface QueueRecord {
  readonly name: string;
  /** Runs that may hold a slot at once; undefined: any number. */
  limit: number | undefined;
  /** Slots held: the number of its runs whose phase holds one. */
  held: number;
  /** Ready runs by task, because a run waits for a worker that has its task, and blocks nobody of another task. */
  readonly ready: Map<string, ReadyList>;
  /** Runs whose wait has ended; they need a slot but no worker, having one. */
  readonly resumes: ReadyList;
}

/** Ready runs of one task in one queue. */
export interface ReadyList {
  /** Runs that hold their slot already: a short retry delay has passed. */
  readonly rearmed: Heap<RunRecord>;
  /** Runs that need a slot. */
  readonly queued: Heap<RunRecord>;
}

// Run numbers follow creation, so a run that comes back (retry, return, resume) keeps its place.
const older = (a: RunRecord, b: RunRecord) => a.number < b.number;

/** An empty list. */
export function createReadyList(): ReadyList {
  return { rearmed: new Heap(older), queued: new Heap(older) };
}

/** An empty queue without a limit. */
export function createQueue(name: string): QueueRecord {
  return { name, limit: undefined, held: 0, ready: new Map(), resumes: createReadyList() };
}

/** Whether one more run may take a slot. */
export function hasSlot(queue: QueueRecord): boolean {
  return queue.limit === undefined || queue.held < queue.limit;
}

/** The oldest run of a heap that is still meant by it; stale entries before it are dropped. */
export function head(heap: Heap<RunRecord>, queue: QueueRecord, phase: RunRecord["phase"]): RunRecord | undefined {
  for (;;) {
    const run = heap.peek();
    if (run === undefined || (run.phase === phase && run.queue === queue)) return run;
    heap.pop();
  }
}
