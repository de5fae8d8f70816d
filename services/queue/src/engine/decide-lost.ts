import { create } from "@bufbuild/protobuf";
import { type Failure, FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { attemptFailed, cancelConfirmed, runParked, runReturned, sessionEnded } from "./events.js";
import { mayPark } from "./park.js";
import { phases } from "./phase.js";
import type { RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { emit, type Step } from "./step.js";

/** Ends a session: what it held is lost, what it had not accepted goes back at no cost. */
export function decideSessionEnd(step: Step, session: SessionRecord, why: string): void {
  for (const run of [...session.runs]) decideLost(step, run, why);
  emit(step, sessionEnded(session));
  const connection = step.volatile.connections.get(session);
  if (connection) {
    connection.open = false;
    step.volatile.connections.delete(session);
    step.volatile.streams.delete(connection.streamId);
  }
  step.volatile.heard.delete(session);
}

/** A worker does not hold (any more) what it was given. */
export function decideLost(step: Step, run: RunRecord, why: string): void {
  if (mayPark(step.durable, run, isUnheard(step, run))) {
    emit(step, runParked(run));
  } else if (run.phase === "assigned") {
    emit(step, runReturned(run));
  } else if (phases[run.phase].final) {
    emit(step, cancelConfirmed(run));
  } else {
    // The attempt counts: its code may have run, in part or whole. It is retried at once, for the fault was not the task's.
    const retryAt = run.attempt < run.maxAttempts ? step.now : undefined;
    emit(step, attemptFailed(run, stalled(why), retryAt, false));
  }
}

/** A worker gave an attempt back, or never took it. One that was told of the end of a wait while it left goes on from there. */
export function decideReturn(step: Step, run: RunRecord): void {
  emit(step, mayPark(step.durable, run, true) ? runParked(run) : runReturned(run));
}

/** Whether a run was told of the end of a wait, and its worker has been silent since: it was dead by then, or died of it. */
function isUnheard({ volatile }: Step, run: RunRecord): boolean {
  const toldAt = volatile.told.get(run);
  return toldAt !== undefined && run.session !== undefined && (volatile.heard.get(run.session) ?? toldAt) <= toldAt;
}

/** As Trigger.dev names the failure of a run whose worker went silent. */
function stalled(why: string): Failure {
  return create(FailureSchema, { kind: FailureKind.INTERNAL, name: "Error", code: "TASK_RUN_STALLED_EXECUTING", message: why });
}
