import { type RunResult, RunState } from "#gen/runlane/v1/run_pb.js";
import { errorOfFailure } from "../errors/failure-error.js";
import { valueOfPayload } from "../payload.js";
import type { TaskRunResult } from "./task-types.js";

/**
 * How a run ended, as the callers of `triggerAndWait` see it.
 *
 * @throws Error if the output is nothing that this SDK reads.
 */
export function taskRunResult<TIdentifier extends string, TOutput>(result: RunResult, taskIdentifier: TIdentifier): TaskRunResult<TIdentifier, TOutput> {
  if (result.state === RunState.COMPLETED) return { ok: true, id: result.runId, taskIdentifier, output: valueOfPayload(result.output) as TOutput };
  return { ok: false, id: result.runId, taskIdentifier, error: errorOfFailure(result.failure) };
}
