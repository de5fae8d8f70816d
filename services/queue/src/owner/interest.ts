import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
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
  else
    notice.results.push({
      $typeName: "runlane.v1.RunResult",
      runId: run.id,
      taskId: run.taskId,
      state: run.state,
      ...(run.output ? { output: run.output } : {}),
      ...(run.failure ? { failure: run.failure } : {}),
    });
}
