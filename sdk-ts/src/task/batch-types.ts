import type { AnyTask, BrandedRun, InferRunTypes, RunHandle, Task, TaskPayload, TaskRunResult, TriggerAndWaitOptions, TriggerOptions } from "./task-types.js";

/** One trigger of a batch over several tasks: of a union of tasks, each with its own payload. */
export type BatchByIdItem<TTask extends AnyTask> = TTask extends AnyTask
  ? { id: InferRunTypes<TTask>["taskIdentifier"]; payload: InferRunTypes<TTask>["payload"]; options?: TriggerOptions }
  : never;

/** The same of a batch that is waited for. */
export type BatchByIdAndWaitItem<TTask extends AnyTask> = TTask extends AnyTask
  ? { id: InferRunTypes<TTask>["taskIdentifier"]; payload: InferRunTypes<TTask>["payload"]; options?: TriggerAndWaitOptions }
  : never;

/** One trigger of a batch over several tasks, by the task itself. */
export interface BatchByTaskItem<TTask extends AnyTask> {
  task: TTask;
  payload: TaskPayload<TTask>;
  options?: TriggerOptions;
}

/** The same of a batch that is waited for. */
export interface BatchByTaskAndWaitItem<TTask extends AnyTask> {
  task: TTask;
  payload: TaskPayload<TTask>;
  options?: TriggerAndWaitOptions;
}

/** The handle of a run of a task; of a union of tasks the union of their handles. */
export type RunHandleOf<TTask extends AnyTask> =
  TTask extends Task<infer TIdentifier, infer TPayload, infer TOutput> ? RunHandle<TIdentifier, TPayload, TOutput> : never;

/** A batch over several tasks. */
export type BatchByIdHandle<TTask extends AnyTask> = {
  /** Id of the batch, for `batch.retrieve`. */
  batchId: string;
  /** Number of runs. */
  runCount: number;
  /** The batch existed before: its idempotency key found it. */
  isCached: boolean;
  /** The runs, in the order of the items. Ours: Trigger.dev v4 leaves them out. */
  runs: RunHandleOf<TTask>[];
  /** Always absent so far. */
  publicAccessToken?: string;
} & BrandedRun<InferRunTypes<TTask>["payload"], InferRunTypes<TTask>["output"]>;

/** A batch over several tasks, whose runs have the types of the items, one by one. */
export type BatchByTaskHandle<TTasks extends readonly AnyTask[]> = {
  batchId: string;
  runCount: number;
  isCached: boolean;
  runs: { [K in keyof TTasks]: RunHandleOf<TTasks[K]> };
  publicAccessToken?: string;
};

/** How a run of a task ended. */
export type TaskRunResultFromTask<TTask extends AnyTask> =
  TTask extends Task<infer TIdentifier, infer _TPayload, infer TOutput> ? TaskRunResult<TIdentifier, TOutput> : never;

/** How the runs of a batch over several tasks ended, in the order of the items. */
export interface BatchByIdResult<TTask extends AnyTask> {
  id: string;
  runs: TaskRunResultFromTask<TTask>[];
}

/** The same, with the types of the items, one by one. */
export interface BatchByTaskResult<TTasks extends readonly AnyTask[]> {
  id: string;
  runs: { [K in keyof TTasks]: TaskRunResultFromTask<TTasks[K]> };
}
