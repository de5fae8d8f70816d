import { globalHookFunctions } from "../hooks/global-hooks.js";
import type { RetrieveRunResult } from "../runs/run-object.js";
import { runs } from "../runs/runs.js";
import { batchTriggerRuns, batchTriggerRunsAndWait } from "./batch-trigger.js";
import type { TaskRunPromise } from "./task-run-promise.js";
import type {
  AnyTask,
  BatchItems,
  BatchResult,
  BatchRunHandle,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
  RunHandle,
  TaskIdentifier,
  TaskOutput,
  TaskPayload,
  TriggerAndSubscribeOptions,
  TriggerAndWaitOptions,
  TriggerOptions,
} from "./task-types.js";
import { triggerRun, triggerRunAndWait } from "./trigger.js";
import { triggerRunAndSubscribe } from "./trigger-and-subscribe.js";

/**
 * Triggers tasks by their id, so that a program need not load their code:
 *
 * ```ts
 * import type { resize } from "./trigger/resize.js";
 * const handle = await tasks.trigger<typeof resize>("resize", { url });
 * ```
 *
 * Each of these functions does what the task's own of the same name does; see {@link Task}. The others register hooks for all tasks.
 */
export const tasks = {
  trigger: <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    payload: TaskPayload<TTask>,
    options?: TriggerOptions,
  ): Promise<RunHandle<TaskIdentifier<TTask>, TaskPayload<TTask>, TaskOutput<TTask>>> => triggerRun(id, payload, options),

  batchTrigger: <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    items: BatchItems<TaskPayload<TTask>>,
    options?: BatchTriggerOptions,
  ): Promise<BatchRunHandle<TaskIdentifier<TTask>, TaskPayload<TTask>, TaskOutput<TTask>>> => batchTriggerRuns(id, items, options),

  triggerAndWait: <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    payload: TaskPayload<TTask>,
    options?: TriggerAndWaitOptions,
  ): TaskRunPromise<TaskIdentifier<TTask>, TaskOutput<TTask>> => triggerRunAndWait(id, payload, options),

  batchTriggerAndWait: <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    items: BatchItems<TaskPayload<TTask>>,
    options?: BatchTriggerAndWaitOptions,
  ): Promise<BatchResult<TaskIdentifier<TTask>, TaskOutput<TTask>>> => batchTriggerRunsAndWait(id, items, options),

  triggerAndSubscribe: <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    payload: TaskPayload<TTask>,
    options?: TriggerAndSubscribeOptions,
  ): TaskRunPromise<TaskIdentifier<TTask>, TaskOutput<TTask>> => triggerRunAndSubscribe(id, payload, options),

  /**
   * Triggers a task from outside a run, waits until its run is final, however long that takes, and reads it. The server tells when that is: `pollIntervalMs` is accepted for code written for
   * Trigger.dev and changes nothing. The run goes on if this process does not.
   *
   * @throws as `trigger` and `runs.poll`.
   */
  triggerAndPoll: async <TTask extends AnyTask>(
    id: TaskIdentifier<TTask>,
    payload: TaskPayload<TTask>,
    options?: TriggerOptions & { pollIntervalMs?: number },
  ): Promise<RetrieveRunResult<TTask>> => {
    const { pollIntervalMs: _, ...triggerOptions } = options ?? {};
    const { id: runId } = await triggerRun<TaskIdentifier<TTask>, TaskPayload<TTask>, TaskOutput<TTask>>(id, payload, triggerOptions);
    return (await runs.poll(runId)) as RetrieveRunResult<TTask>;
  },

  ...globalHookFunctions,
};
