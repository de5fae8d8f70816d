import type { RescheduleRunRequest } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import type { Environment } from "./environment.js";
import { idempotencyKeyEnded, retryDue, runRescheduled } from "./events.js";
import { runIdOf } from "./run-id.js";
import type { RefusalData, RunRecord } from "./run-record.js";
import { delayEnd, delayFault } from "./run-settings.js";
import { emit, type Step } from "./step.js";

/** Gives a delayed run another time. Returns why it cannot have one; undefined if it has. */
export function decideReschedule(step: Step, run: RunRecord, request: RescheduleRunRequest): RefusalData | undefined {
  // Its time has come, and nobody has noticed so far.
  if (run.phase === "deferred" && run.queueMs <= step.now) emit(step, retryDue(run));
  if (run.phase !== "deferred") {
    return {
      reason: "RUN_NOT_DELAYED",
      message: `run ${runIdOf(run.environment, run.number)} is not DELAYED (any more), and only then has a time that may be changed`,
    };
  }
  const tooLong = delayFault(request, step.now);
  if (tooLong) return { reason: "INVALID_FIELD", message: `delay_until: ${tooLong}` };
  emit(step, runRescheduled(run, delayEnd(request, step.now), undefined));
  return undefined;
}

/** Ends an idempotency key: the next trigger makes a new run. Returns why not; undefined if it has ended. */
export function decideKeyEnd(step: Step, environment: Environment, taskId: string, key: string): RefusalData | undefined {
  if (!environment.keys.find(taskId, key, step.now)) {
    return { reason: "IDEMPOTENCY_KEY_NOT_FOUND", message: `task ${taskId.slice(0, 128)} has no idempotency key ${key.slice(0, 64)}` };
  }
  emit(step, idempotencyKeyEnded(environment.name, taskId, key));
  return undefined;
}
