import { runCanceled } from "./events.js";
import { phases } from "./phase.js";
import type { RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";

/** Cancels a run that is not final, and every descendant that is not. */
export function decideCancel(step: Step, run: RunRecord, reason: string): void {
  const stack = [run];
  for (let next = stack.pop(); next; next = stack.pop()) {
    // Read before the event: a cancelled run forgets its children.
    for (const number of next.children ?? []) {
      const child = step.durable.runs.get(number);
      if (child) stack.push(child);
    }
    if (!phases[next.phase].final) emit(step, runCanceled(next, reason));
  }
}
