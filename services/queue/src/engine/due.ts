import type { RunRecord } from "./run-record.js";
import { SweptHeap } from "./swept-heap.js";

/** A time at which something becomes of a run: its delay has passed, or it expires. */
export interface Due {
  readonly atMs: number;
  readonly run: RunRecord;
  /** The attempt whose retry delay, or wait, it is; 0 for anything else. */
  readonly attempt: number;
  /** The wait of that attempt whose time it is; 0 for anything else. */
  readonly waitId: number;
}

/**
 * What is meant by a due time, as the run stands now.
 *
 * - `retry`: a retry delay has passed.
 * - `enter`: the delay that the trigger asked for has passed.
 * - `later`: that delay was prolonged meanwhile, and the entry is to move on.
 * - `expire`: the time to live has ended.
 * - `wait`: a wait has ended.
 * - `nothing`: the run is past that.
 */
export function meaningOf({ atMs, run, attempt, waitId }: Due): "retry" | "enter" | "later" | "expire" | "wait" | "nothing" {
  if (waitId > 0) {
    const wait = run.attempt === attempt ? run.waits?.get(waitId) : undefined;
    return wait?.untilMs === atMs && wait.pending > 0 ? "wait" : "nothing";
  }
  switch (run.phase) {
    case "deferred":
      return run.queueMs <= atMs ? "enter" : "later";
    case "queued":
      return attempt === 0 && run.startMs === 0 && run.extras?.expireMs === atMs ? "expire" : "nothing";
    case "delayed":
    case "backoff":
      return run.attempt === attempt && run.retryAtMs === atMs ? "retry" : "nothing";
    default:
      return "nothing";
  }
}

/** No due time. */
export function createDues(): SweptHeap<Due> {
  return new SweptHeap(
    (a, b) => {
      if (a.atMs !== b.atMs) return a.atMs < b.atMs;
      if (a.run.number !== b.run.number) return a.run.number < b.run.number;
      return a.attempt < b.attempt || (a.attempt === b.attempt && a.waitId < b.waitId);
    },
    (due) => meaningOf(due) !== "nothing",
  );
}
