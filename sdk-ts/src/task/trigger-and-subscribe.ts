import type { RunResult } from "#gen/runlane/v1/run_pb.js";
import { homeClient } from "../client/runlane-client.js";
import { apiErrorOf } from "../errors/api-error.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { storedRunResult } from "./run-result.js";
import { TaskRunPromise } from "./task-run-promise.js";
import type { TaskRunResult, TriggerAndSubscribeOptions } from "./task-types.js";
import { type PayloadCheck, triggerRun } from "./trigger.js";

/** Triggers one run as a child of the one that calls, and follows it until it is final. The run that calls goes on executing. */
export function triggerRunAndSubscribe<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  payload: TPayload,
  options: TriggerAndSubscribeOptions = {},
  check?: PayloadCheck,
): TaskRunPromise<TIdentifier, TOutput> {
  return new TaskRunPromise((resolve, reject) => {
    if (currentRunRuntime() === undefined) throw new Error("triggerAndSubscribe can only be used from inside a task.run()");
    const { signal, cancelOnAbort = true, ...triggerOptions } = options;
    triggerRun<TIdentifier, TPayload, TOutput>(taskId, payload, triggerOptions, check)
      .then(({ id }) => follow<TIdentifier, TOutput>(id, taskId, signal, cancelOnAbort))
      .then(resolve, reject);
  }, taskId);
}

function follow<TIdentifier extends string, TOutput>(
  runId: string,
  taskId: TIdentifier,
  signal: AbortSignal | undefined,
  cancelOnAbort: boolean,
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  const client = homeClient();
  return new Promise((resolve, reject) => {
    let unwatch = () => {};
    const abort = () => {
      unwatch();
      // Whoever aborts does not wait for it, and a run that is final by now is none to cancel.
      if (cancelOnAbort) client.runs.cancelRun({ runId }).catch(() => {});
      reject(new DOMException("Aborted", "AbortError"));
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    const end = () => signal?.removeEventListener("abort", abort);
    unwatch = client.triggerStream.watch(runId, {
      awaitsResult: true,
      triggered() {},
      finished(result: RunResult) {
        end();
        resolve(storedRunResult<TIdentifier, TOutput>(result, taskId, () => client.payloads));
      },
      failed(error) {
        end();
        reject(apiErrorOf(error));
      },
    });
  });
}
