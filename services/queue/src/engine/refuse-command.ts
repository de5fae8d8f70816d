import { commandAnswered } from "./events.js";
import type { CommandAnswer, RefusalData, RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";

/** Refuses a command of a run's code; a repeat hears the same. */
export function refuseCommand(step: Step, run: RunRecord, commandId: number, refusal: RefusalData): CommandAnswer {
  emit(step, commandAnswered(run, commandId, refusal));
  return { kind: "refused", refusal };
}
