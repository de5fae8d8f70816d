import type { InitOutput } from "../hooks/hook-params.js";
import type { TaskHooks } from "../hooks/task-hooks.js";
import type { MachineOption, MachinePresetName } from "../machine/machine-option.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import type { JSONSchema } from "../schema/json-schema.js";
import type { RetryOptions } from "./retry-options.js";
import type { TaskRunPromise } from "./task-run-promise.js";

// `any` in this file stands for every payload and every output at once, as it does in Trigger.dev's types; `unknown` would refuse payloads, `never` outputs.

/** What `run` is told besides its payload. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export interface RunFnParams<TInit extends InitOutput = any> {
  /** The run, its attempt, its task, its queue and its environment; does not change during the attempt. */
  ctx: TaskRunContext;
  /** What the `init` hooks returned, merged; an empty object if there are none. */
  init: TInit;
  /** Aborted when the run is cancelled, and when the attempt reaches its maxDuration. Code that goes on regardless is cut off a second later. */
  signal: AbortSignal;
}

/** The queue of a task. */
export interface TaskQueueOptions {
  /** 1 to 128 characters of letters, digits and "_-./:". Tasks that name the same one share it. Default: "task/<task id>". */
  name?: string;
  /** Runs of the queue that may execute at once, 0 to 100,000. Waiting runs do not count. Default: no limit. */
  concurrencyLimit?: number;
}

/** What `task` takes. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export interface TaskOptions<TIdentifier extends string, TPayload = void, TOutput = unknown, TInit extends InitOutput = any>
  extends TaskHooks<TPayload, TOutput, TInit> {
  /** Identifies the task; unique, and the same in every version. 1 to 128 characters of letters, digits and "_-./:". */
  id: TIdentifier;
  /** Free text, at most 1,000 characters. */
  description?: string;
  /** JSON Schema of the payload, draft 7, at most 64 KiB as JSON: stored with the task, for people and programs that look at it. It checks nothing; `schemaTask` does. */
  jsonSchema?: JSONSchema;
  /** When a failed attempt is tried again. Default: the config's `retries.default`, else 3 attempts. An object given here replaces the config's as a whole. */
  retry?: RetryOptions;
  /** The queue of the task's runs, or its name. */
  queue?: string | TaskQueueOptions;
  /** Gives each run a process of its own, limited to the preset's memory. Default: the config's `machine`; without one, tasks share processes. */
  machine?: MachineOption;
  /**
   * How long an attempt may be active, in seconds, 5 at least; waits do not count. Then `signal` is aborted, a second later the code is cut off, and the run is TIMED_OUT, without
   * another attempt. Default: the config's, else no limit. `timeout.None`: no limit.
   */
  maxDuration?: number;
  /**
   * The task's code. What it returns, as JSON, is the run's output; what it throws fails the attempt.
   *
   * An attempt may run twice: one whose worker dies is tried again, if attempts are left.
   */
  run: (payload: TPayload, params: RunFnParams<TInit>) => Promise<TOutput> | TOutput;
}

/** What `task` takes if a JSON Schema stands for the payload's type: the payload is `any`, as in Trigger.dev. */
// biome-ignore-start lint/suspicious/noExplicitAny: see the top of this file
export interface TaskOptionsWithJsonSchema<TIdentifier extends string, TOutput = unknown, TInit extends InitOutput = any>
  extends TaskOptions<TIdentifier, any, TOutput, TInit> {
  // biome-ignore-end lint/suspicious/noExplicitAny: see the top of this file
  jsonSchema: JSONSchema;
}

/** What a trigger may say; the task's own settings hold for the rest. */
export interface TriggerOptions {
  /** Attempts in total, 1 to 250; 1 means no retries, and less counts as 1. */
  maxAttempts?: number;
  /** Name of the queue. */
  queue?: string;
  /** Tags of the run: one, or at most 10, of 1 to 128 characters; blank ones are left out. Children do not inherit them. */
  tags?: string | readonly string[];
  /** Metadata of the run: an object of JSON, 256 KiB at most. Children do not inherit it. */
  metadata?: Record<string, unknown>;
  /** Version of the code to run, for instance "20261123.1". Default: the current one when the run starts; a run that its parent waits for has its parent's. */
  version?: string;
  /** Machine of the run's attempts. */
  machine?: MachinePresetName;
  /** How long an attempt may be active, in seconds, 5 at least; `timeout.None` for no limit. */
  maxDuration?: number;
}

/** As {@link TriggerOptions}, without `version`: a run that another waits for runs the code of that other. */
export type TriggerAndWaitOptions = Omit<TriggerOptions, "version">;

/** What a batch may say as a whole. */
export interface BatchTriggerOptions {
  /** Runs are created in the order of the items in any case. Accepted for code written for Trigger.dev. */
  triggerSequentially?: boolean;
}

/** As {@link BatchTriggerOptions}. */
export type BatchTriggerAndWaitOptions = BatchTriggerOptions;

/** One trigger of a batch. */
export interface BatchItem<TPayload> {
  payload: TPayload;
  options?: TriggerOptions;
}

/** The items of a batch. An iterable is read to its end before anything is triggered. */
export type BatchItems<TPayload> = readonly BatchItem<TPayload>[] | AsyncIterable<BatchItem<TPayload>> | ReadableStream<BatchItem<TPayload>>;

declare const runTypes: unique symbol;

/** Carries the types of a run; nothing of it exists at run time. */
export interface BrandedRun<TPayload, TOutput> {
  readonly [runTypes]?: { payload: TPayload; output: TOutput };
}

/** A run that was triggered. */
export type RunHandle<TIdentifier extends string, TPayload, TOutput> = {
  /** Id of the run. */
  id: string;
  /** Id of its task. */
  taskIdentifier: TIdentifier;
  /** Trigger.dev has here a token that lets a browser follow the run. Runlane has no such tokens so far: it is always absent. */
  publicAccessToken?: string;
} & BrandedRun<TPayload, TOutput>;

// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type AnyRunHandle = RunHandle<string, any, any>;

/** A batch that was triggered. */
export type BatchRunHandle<TIdentifier extends string, TPayload, TOutput> = {
  /** Names the batch for your logs. It is made by the SDK; the server does not know it so far. */
  batchId: string;
  /** Number of runs. */
  runCount: number;
  /** The runs, in the order of the items. Ours: Trigger.dev v4 leaves them out. */
  runs: RunHandle<TIdentifier, TPayload, TOutput>[];
  /** Always absent so far; see {@link RunHandle}. */
  publicAccessToken?: string;
} & BrandedRun<TPayload, TOutput>;

/** How a run ended. */
export type TaskRunResult<TIdentifier extends string, TOutput = unknown> =
  | { ok: true; id: string; taskIdentifier: TIdentifier; output: TOutput }
  | {
      ok: false;
      /** Id of the run; empty if an item of a batch could not be triggered. */
      id: string;
      taskIdentifier: TIdentifier;
      /** What the run failed with: an Error with the name, message, stack and causes of the one that was thrown, or the value that was thrown. */
      error: unknown;
    };

/** How the runs of a batch ended. */
export interface BatchResult<TIdentifier extends string, TOutput = unknown> {
  /** Names the batch for your logs; see {@link BatchRunHandle}. */
  id: string;
  /** In the order of the items. */
  runs: TaskRunResult<TIdentifier, TOutput>[];
}

/** A task, as `task` returns it. */
export interface Task<TIdentifier extends string, TInput = void, TOutput = unknown> {
  readonly id: TIdentifier;
  readonly description?: string | undefined;
  /** As it was given. */
  readonly jsonSchema?: JSONSchema | undefined;
  /**
   * Triggers a run and returns its handle as soon as the run is on disk. Inside a run, the new one is its child.
   *
   * @throws ApiError if the server refuses it, or cannot be reached; TypeError if the payload cannot be written as JSON; Error for options that are not supported.
   */
  trigger: (payload: TInput, options?: TriggerOptions) => Promise<RunHandle<TIdentifier, TInput, TOutput>>;
  /**
   * Triggers a run for each item.
   *
   * @throws BatchTriggerError if there are no items, or some could not be triggered: it says which, and which runs exist.
   */
  batchTrigger: (items: BatchItems<TInput>, options?: BatchTriggerOptions) => Promise<BatchRunHandle<TIdentifier, TInput, TOutput>>;
  /**
   * Triggers a run and waits for its result; a failed run is a result with `ok: false`, `.unwrap()` throws it instead. Inside a run, the parent is WAITING meanwhile and holds no
   * slot; several may wait at once. Ours: it works outside a run, too.
   *
   * @throws as `trigger`.
   */
  triggerAndWait: (payload: TInput, options?: TriggerAndWaitOptions) => TaskRunPromise<TIdentifier, TOutput>;
  /**
   * Triggers a run for each item and waits for all of them. An item that could not be triggered is a result with `ok: false` and an empty id.
   *
   * @throws BatchTriggerError if there are no items, or none could be triggered.
   */
  batchTriggerAndWait: (items: BatchItems<TInput>, options?: BatchTriggerAndWaitOptions) => Promise<BatchResult<TIdentifier, TOutput>>;
}

/** A task whose payload may be anything. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type AnyPayloadTask<TIdentifier extends string, TOutput> = Task<TIdentifier, any, TOutput>;

// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type AnyTask = Task<string, any, any>;

/** Type of a task's payload. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type TaskPayload<TTask extends AnyTask> = TTask extends Task<string, infer TInput, any> ? TInput : never;

/** Type of a task's output. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type TaskOutput<TTask extends AnyTask> = TTask extends Task<string, any, infer TOutput> ? TOutput : never;

/** Type of a task's id. */
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type TaskIdentifier<TTask extends AnyTask> = TTask extends Task<infer TIdentifier, any, any> ? TIdentifier : never;

/** The task of a union that has this id. */
export type TaskFromIdentifier<TTask extends AnyTask, TIdentifier extends TTask["id"]> = TTask extends { id: TIdentifier } ? TTask : never;

/** The types of a run. */
export interface RunTypes<TIdentifier extends string, TPayload, TOutput> {
  output: TOutput;
  payload: TPayload;
  taskIdentifier: TIdentifier;
}

/** The types of the run that a handle or a task stands for; any for an id alone. */
export type InferRunTypes<T> =
  T extends RunHandle<infer TIdentifier, infer TPayload, infer TOutput>
    ? RunTypes<TIdentifier, TPayload, TOutput>
    : T extends Task<infer TIdentifier, infer TPayload, infer TOutput>
      ? RunTypes<TIdentifier, TPayload, TOutput>
      : // biome-ignore lint/suspicious/noExplicitAny: see the top of this file
        RunTypes<string, any, any>;
