import { Heap } from "./heap.js";
import type { Machine } from "./machine.js";
import type { RunRecord } from "./run-record.js";

/** A queue of an environment: who is next, and how many may execute at once. */
export interface QueueRecord {
  readonly name: string;
  /** Runs that may hold a slot at once; undefined: any number. */
  limit: number | undefined;
  /** Slots held: the number of its runs whose phase holds one. */
  held: number;
  /** Ready runs by what they need of a worker, see {@link Need}, because a run blocks nobody who needs something else. */
  readonly ready: Map<string, ReadyList>;
  /** Runs whose wait has ended; they need a slot but no worker, having one. */
  readonly resumes: Heap<RunRecord>;
}

/** What a run needs of a worker. */
export interface Need {
  readonly taskId: string;
  /** The version that it is bound to; empty: any that starts runs. */
  readonly version: string;
  readonly machine: Machine | undefined;
  /** Task and machine in one word. */
  readonly demand: string;
  /** All of it in one word. */
  readonly key: string;
}

/** Ready runs of one queue that need the same. */
export interface ReadyList extends Need {
  /** Runs that hold their slot already: a short retry delay has passed. */
  readonly rearmed: Heap<RunRecord>;
  /** Runs that need a slot. */
  readonly queued: Heap<RunRecord>;
}

// Run numbers follow creation, so a run that comes back (retry, return, resume) keeps its place.
const older = (a: RunRecord, b: RunRecord) => a.number < b.number;

// Most runs need their task and no more: for them it is the word.
const demandOf = ({ taskId, machine }: RunRecord) => (machine === undefined ? taskId : `${taskId}\n${machine.name}`);
const keyOf = (run: RunRecord, demand = demandOf(run)) => (run.version === "" ? demand : `${demand}\n@${run.version}`);

/** The list that a ready run belongs to, made if there is none. */
export function readyListOf(queue: QueueRecord, run: RunRecord): ReadyList {
  const demand = demandOf(run);
  const key = keyOf(run, demand);
  let list = queue.ready.get(key);
  if (!list) {
    const { taskId, version, machine } = run;
    list = { taskId, version, machine, demand, key, rearmed: new Heap(older), queued: new Heap(older) };
    queue.ready.set(key, list);
  }
  return list;
}

/**
 * Takes a ready run that starts from the top of its list. Whoever placed it has done so already; when the log is replayed nobody has, and all runs of the log would stay in memory until
 * the queue is looked at, which then had to drop them one by one (measured at 100,000 runs: 120 ms).
 */
export function leaveReadyList(run: RunRecord): void {
  const list = run.queue.ready.get(keyOf(run));
  const heap = run.phase === "rearmed" ? list?.rearmed : list?.queued;
  if (heap?.peek() === run) heap.pop();
}

/** An empty heap of runs, the oldest first. */
export function createRunHeap(): Heap<RunRecord> {
  return new Heap(older);
}

/** An empty queue without a limit. */
export function createQueue(name: string): QueueRecord {
  return { name, limit: undefined, held: 0, ready: new Map(), resumes: createRunHeap() };
}

/** Whether one more run may take a slot. */
export function hasSlot(queue: QueueRecord): boolean {
  return queue.limit === undefined || queue.held < queue.limit;
}

/** The oldest run of a list that is still meant by it; stale entries before it are dropped. */
export function head(queue: QueueRecord, list: ReadyList, phase: "queued" | "rearmed"): RunRecord | undefined {
  const heap = list[phase];
  for (;;) {
    const run = heap.peek();
    if (run === undefined || (run.phase === phase && run.queue === queue && run.version === list.version && run.machine === list.machine)) return run;
    heap.pop();
  }
}

/** The oldest run that waits to be resumed; stale entries before it are dropped. */
export function headOfResumes(queue: QueueRecord): RunRecord | undefined {
  for (;;) {
    const run = queue.resumes.peek();
    if (run === undefined || (run.phase === "resumable" && run.queue === queue)) return run;
    queue.resumes.pop();
  }
}
