import { Heap } from "./heap.js";
import type { LimitRecord } from "./limit-record.js";
import { createLimit } from "./limit-record.js";
import type { Need } from "./need.js";
import type { RunRecord } from "./run-record.js";

/** What decides when runs of an environment may start, beside their queues. Changed by `apply` only. */
export interface Flow {
  paused: boolean;
  /** Runs that may execute at once; undefined: any number. */
  limit: number | undefined;
  /** All queues together may take the limit times this. */
  burst: number;
  /** Slots held. */
  held: number;
  /** Limits that tasks hold, by name. */
  readonly limits: Map<string, LimitRecord>;
  /** Runs that hold slots and have no worker: a short retry delay passes, or has passed. */
  readonly keeping: Set<RunRecord>;
  /** Overrides of limits of single keys, by the time of their end. */
  readonly overrides: Heap<{ readonly atMs: number; readonly limit: LimitRecord; readonly key: string }>;
  /** What ready runs need. An index, as what follows. */
  readonly needs: Map<string, Need>;
  /** Needs that may be met, the one whose first line waits longest first: of runs that need slots, and of those that hold them. */
  readonly open: Heap<Need>;
  readonly openRearmed: Heap<Need>;
  /** Limits that have slots again, and what waited for them. */
  readonly opened: Set<LimitRecord>;
  /** The last ticket, see Turn. */
  tickets: number;
}

/** No limit. */
export function createFlow(): Flow {
  const waitsLonger = (a: Need, b: Need) => a.listedTicket < b.listedTicket;
  return {
    paused: false,
    limit: undefined,
    burst: 1,
    held: 0,
    limits: new Map(),
    keeping: new Set(),
    overrides: new Heap((a, b) => a.atMs < b.atMs),
    needs: new Map(),
    open: new Heap(waitsLonger),
    openRearmed: new Heap(waitsLonger),
    opened: new Set(),
    tickets: 0,
  };
}

/** How many runs of an environment may execute at once; undefined: any number. */
export function capacityOf({ limit, burst }: Flow): number | undefined {
  // The product is computed in binary fractions: 100 times 1.15 comes to a little less than 115.
  return limit === undefined ? undefined : Math.floor(limit * burst + 1e-6);
}

/** Whether one more run may execute in the environment. */
export function flowIsOpen(flow: Flow): boolean {
  if (flow.paused) return false;
  const most = capacityOf(flow);
  return most === undefined || flow.held < most;
}

/** The limit of this name, made if there is none. */
export function limitOf({ limits }: Flow, name: string): LimitRecord {
  let limit = limits.get(name);
  if (!limit) {
    limit = createLimit(name);
    limits.set(name, limit);
  }
  return limit;
}
