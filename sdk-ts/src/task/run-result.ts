import { type RunResult, RunState } from "#gen/runlane/v1/run_pb.js";
import type { StoredPayloads } from "../client/stored-payloads.js";
import { throwApiError } from "../errors/api-error.js";
import { errorOfFailure } from "../errors/failure-error.js";
import { valueOfPayload } from "../payload.js";
import type { TaskRunResult } from "./task-types.js";

/**
 * How a run ended, as the callers of `triggerAndWait` see it.
 *
 * @throws Error if the output is nothing that this SDK reads.
 */
function taskRunResult<TIdentifier extends string, TOutput>(result: RunResult, taskIdentifier: TIdentifier): TaskRunResult<TIdentifier, TOutput> {
  if (result.state === RunState.COMPLETED) return { ok: true, id: result.runId, taskIdentifier, output: valueOfPayload(result.output) as TOutput };
  return { ok: false, id: result.runId, taskIdentifier, error: errorOfFailure(result.failure) };
}

/**
 * The same for a run whose output may be kept apart; a promise only if it is.
 *
 * @throws ApiError if the output cannot be got, Error if it is nothing that this SDK reads.
 */
export function storedRunResult<TIdentifier extends string, TOutput>(
  result: RunResult,
  taskIdentifier: TIdentifier,
  payloads: () => StoredPayloads,
): TaskRunResult<TIdentifier, TOutput> | Promise<TaskRunResult<TIdentifier, TOutput>> {
  const { output } = result;
  if (!output?.reference) return taskRunResult(result, taskIdentifier);
  return payloads()
    .get(output)
    .then((whole) => taskRunResult({ ...result, output: whole }, taskIdentifier), throwApiError);
}
