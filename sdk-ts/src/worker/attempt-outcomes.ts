import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import type { AttemptResult } from "#gen/runlane/v1/worker_service_pb.js";
import type { RetryOptions } from "../task/retry-options.js";
import { internalFailure } from "./failure.js";
import { type AttemptTerms, afterOutOfMemory, isOutOfMemory } from "./out-of-memory.js";

type Outcome = Extract<AttemptResult["outcome"], { case: "failure" | "release" }>;

/** The part of a runner process that decides what follows its death. */
export interface DeadRunner {
  readonly isShared: boolean;
  readonly machine: string | undefined;
  readonly terms: (AttemptTerms & { readonly taskId: string }) | undefined;
}

/** An attempt that is given back undone. */
export function released(reason: string): Outcome {
  return { case: "release", value: { $typeName: "runlane.v1.Release", reason } };
}

/** An attempt whose process is gone, for no fault of its own as far as anybody knows: tried again at once. */
export function lost(failure: Failure): Outcome {
  return { case: "failure", value: { $typeName: "runlane.v1.AttemptFailure", failure, processLost: true, retryMachine: "" } };
}

/**
 * An attempt whose process is dead. If its memory ran out for certain, and nobody else was in it, another attempt of the same size would fare no better: there is one on another machine, or
 * none. `retryOf` gives a task's retry options for that case.
 */
export function died({ isShared, machine, terms }: DeadRunner, failure: Failure, retryOf: (taskId: string) => RetryOptions | undefined): Outcome {
  if (isShared || terms === undefined || !isOutOfMemory(failure)) return lost(failure);
  const larger = afterOutOfMemory(retryOf(terms.taskId), machine, terms);
  const processLost = failure.code === "TASK_PROCESS_MAYBE_OOM_KILLED";
  return { case: "failure", value: { $typeName: "runlane.v1.AttemptFailure", failure, processLost, retryMachine: "", ...larger } };
}

/** An attempt that was active for longer than it may: the last one of its run. */
export function exceeded(seconds: number): Outcome {
  const failure = internalFailure("MAX_DURATION_EXCEEDED", exceededWords(seconds));
  return { case: "failure", value: { $typeName: "runlane.v1.AttemptFailure", failure, processLost: false, retryMachine: "" } };
}

/** Why an attempt that reached its maxDuration is stopped. Trigger.dev's words. */
export function exceededWords(seconds: number): string {
  return `Run exceeded maximum compute time (maxDuration) of ${seconds} seconds`;
}

/** What the other attempts of a shared runner die of when one blocks it beyond its maxDuration. */
export function blockedFailure(): Failure {
  const what = "another run of the same process blocked its event loop and exceeded its maxDuration, so the process was ended";
  return internalFailure("TASK_RUN_STALLED_EXECUTING", what);
}

/** What all attempts of a worker die of that has not reached its server for too long. */
export function leaseFailure(): Failure {
  const what = "the worker lost touch with the server, and ended the attempt before another worker could start the run again";
  return internalFailure("TASK_RUN_STALLED_EXECUTING", what);
}
