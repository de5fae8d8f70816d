import { create } from "@bufbuild/protobuf";
import { FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { type Run, type RunResult, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { tellResult } from "../engine/effects.js";
import type { Environment } from "../engine/environment.js";
import { phases } from "../engine/phase.js";
import type { Step } from "../engine/step.js";

/** Notes that a subscriber wants to hear of a run. */
export function addSubscriber(map: Map<number, string[]>, number: number, subscriber: string): void {
  const subscribers = map.get(number);
  if (!subscribers) map.set(number, [subscriber]);
  else if (!subscribers.includes(subscriber)) subscribers.push(subscriber);
}

/** Tells a subscriber of a run that memory has forgotten: as it is, or how it ended. */
export function tellPast(step: Step, subscriber: string, run: Run, change: boolean): void {
  const notice = step.outbox.notice(subscriber, 1_000 + (run.output?.data.length ?? 0) + (run.payload?.data.length ?? 0) + (run.metadata?.data.length ?? 0));
  if (change) notice.changes.push(run);
  else notice.results.push(resultOfPast(run));
}

/** How a run ended that memory has forgotten. */
export function resultOfPast({ id, taskId, state, output, failure }: Run): RunResult {
  return { $typeName: "runlane.v1.RunResult", runId: id, taskId, state, ...(output ? { output } : {}), ...(failure ? { failure } : {}) };
}

/** What is told of a result that neither memory nor history has. */
export function lostResult(runId: string): RunResult {
  const failure = create(FailureSchema, {
    kind: FailureKind.INTERNAL,
    name: "Error",
    code: "RUN_NOT_FOUND",
    message: `what run ${runId} came to is not known any more`,
  });
  return { $typeName: "runlane.v1.RunResult", runId, taskId: "", state: RunState.SYSTEM_FAILURE, failure };
}

/** Lets a subscriber hear how a run ended, or ends. */
export function want(step: Step, environment: Environment, subscriber: string, number: number): void {
  const run = step.durable.runs.see(number);
  if (!run || run.environment !== environment) return;
  if (phases[run.phase].final) return tellResult(step, subscriber, run);
  addSubscriber(step.volatile.results, number, subscriber);
}
