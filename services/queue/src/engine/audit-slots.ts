import type { Durable } from "./durable.js";
import { phases } from "./phase.js";
import { SlotCount } from "./slot-count.js";

/** What an audit of slots found. */
export interface SlotFinding {
  /** Slots that attempts hold, of whatever environment. */
  readonly held: number;
  /** By how many slots the running counts differ from what attempts hold, all of them added up. Anything but 0 is a defect. */
  readonly off: number;
  /** Where they differ. */
  readonly faults: string[];
}

/**
 * Counts slots again from those who may hold them: attempts of sessions, each of which has a lease, and runs that wait out a short delay. Compares that with the running counts by which runs
 * are started.
 *
 * Costs as much as there are such runs, queues, concurrency keys and limits; the backlog is not walked.
 */
export function auditSlots({ sessions, environments }: Durable): SlotFinding {
  const faults: string[] = [];
  const slots = new SlotCount();
  let held = 0;
  let off = 0;
  for (const session of sessions.values()) {
    let busy = 0;
    for (const run of session.runs) {
      const { slot, worker } = phases[run.phase];
      slots.add(run);
      if (slot) held += 1;
      if (worker) busy += 1;
    }
    if (busy !== session.busy) faults.push(`session ${session.number} counts ${session.busy} attempts, it has ${busy}`);
    off += Math.abs(busy - session.busy);
  }
  for (const { flow } of environments.values()) {
    for (const run of flow.keeping) slots.add(run);
    held += flow.keeping.size;
  }
  for (const environment of environments.values()) off += slots.compare(environment, faults);
  off += slots.rest(faults);
  return { held, off, faults };
}
