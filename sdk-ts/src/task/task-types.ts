import type { InitOutput } from "../hooks/hook-params.js";
import type { TaskHooks } from "../hooks/task-hooks.js";
import type { KeyMaterial } from "../idempotency/idempotency-key.js";
import type { MachineOption, MachinePresetName } from "../machine/machine-option.js";
import type { TaskConcurrency } from "../queues/concurrency-limit.js";
import type { QueueOptions } from "../queues/queue.js";
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

/** The queue of a task. Default of its name: "task/<task id>". Tasks that name the same one share it. */
export interface TaskQueueOptions extends Partial<QueueOptions> {}

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
  /** The queue of the task's runs: its name, what `queue` has made, or what is to be said of it. */
  queue?: string | TaskQueueOptions;
  /**
   * How many runs of the task may execute at once, whatever their queue: `{ perKey, total }`, a limit that `concurrencyLimit` has made, or its name; a list may have one of the first
   * kind and two of the others. A run needs a slot of each. Default: no limit.
   */
  concurrency?: TaskConcurrency;
  /**
   * How long a run may be in its queue before it starts: a text like "10m", or seconds; 0 for no limit. One that does not start in time is EXPIRED. It counts from the end of the
   * trigger's `delay`; attempts after the first have no such limit. Default: the config's, else no limit.
   */
  ttl?: string | number;
  /** Gives each run a process of its own, limited to the preset's memory. Default: the config's `machine`; without one, tasks share processes. */
  machine?: MachineOption;
  /**
   * How long an attempt may be active, in seconds, 5 at least; waits do not count. Then `signal` is aborted, a second later the code is cut off, and the run is TIMED_OUT, without
   * another attempt. Default: the config's, else no limit. `timeout.None`: no limit.
   */
  maxDuration?: number;
  /**
   * What becomes of a run that waits when its worker dies, drains or is redeployed. "resume", the default: it goes on elsewhere; `run` starts again, and what it has called before answers from the
   * run's journal, so that only plain code between the calls runs twice. "restart": it starts anew, as a new attempt, with nothing but its steps. Ours.
   */
  onWorkerLoss?: "resume" | "restart";
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
  /** Version of the code to run, for instance "20261123.1". Default: RUNLANE_VERSION, else TRIGGER_VERSION of the environment, else the current one when the run starts; a run that its parent waits for has its parent's. */
  version?: string;
  /** Machine of the run's attempts. */
  machine?: MachinePresetName;
  /** How long an attempt may be active, in seconds, 5 at least; `timeout.None` for no limit. */
  maxDuration?: number;
  /** When the run enters its queue: after a time like "1h30m", at a Date, or at a time in ISO 8601; 366 days ahead at most. Until then it is DELAYED. A time that has passed means at once. */
  delay?: string | Date;
  /** How long the run may be in its queue before it starts: a text like "10m", or seconds, 365 days at most; 0 for no limit. See the task's `ttl`. */
  ttl?: string | number;
  /**
   * There is one run of the task for each key: a trigger with a key that a run has already returns that run, with `isCached: true`, also if it has ended; not if it failed or expired.
   *
   * What `idempotencyKeys.create` made, or a text or list of texts, which inside a run is part of that run (scope "run") and outside global. 2,048 characters at most. A text of 64
   * characters is taken for a key that was made. An empty one is none, as in Trigger.dev.
   */
  idempotencyKey?: KeyMaterial;
  /** How long the key is kept: a text like "1h" or "30d", 1 s to 366 days. Default 30 days. */
  idempotencyKeyTTL?: string;
  /** Collects triggers into one delayed run. An idempotency key that finds a run comes first. Not together with `delay`. */
  debounce?: DebounceOptions;
  /** Gives each of its values a copy of the queue, with the queue's whole limit; at most 512 characters. Numbers become texts. */
  concurrencyKey?: string | number;
  /** Names of shared limits, one or two, in place of those that the task shares. The task's own limit holds in any case. */
  concurrency?: string | string[];
  /** Seconds by which the run counts as older in its queue, -2,147,483 to 2,147,483. It passes runs of its own concurrency key only. Default 0. */
  priority?: number;
  /** What the run takes from the rate limits of its queue when it starts, 1 to 1,000,000. Default 1. Ours. */
  weight?: number;
}

/** Collects the triggers of a task that have the same key into one run. While that is DELAYED, each further trigger postpones it and returns it, with `isCached: true`. */
export interface DebounceOptions {
  /** 1 to 512 characters. */
  key: string;
  /** The run is due this long after the last trigger: a text like "5s" or "1m", 1 s to 366 days. */
  delay: string;
  /** Whose payload, metadata, tags, machine, `maxAttempts` and `maxDuration` the run has: "leading" the first trigger's, "trailing" the last one's. Default "leading". */
  mode?: "leading" | "trailing";
  /** The run is postponed no further than this from its first trigger; a trigger that would do so makes a new run. More than `delay`. Default: no bound. */
  maxDelay?: string;
}

/** As {@link TriggerOptions}, without `version`: a run that another waits for runs the code of that other. */
export type TriggerAndWaitOptions = Omit<TriggerOptions, "version">;

/** What `triggerAndSubscribe` takes. */
export interface TriggerAndSubscribeOptions extends TriggerAndWaitOptions {
  /** Ends the subscription: the promise is rejected with an AbortError. */
  signal?: AbortSignal;
  /** Whether that cancels the run, too. Default true. */
  cancelOnAbort?: boolean;
}

/** What a batch may say as a whole. */
export interface BatchTriggerOptions {
  /** Each item without a key of its own gets this one and its index: "key-0", "key-1" … The batch has it, too: a second one with the same key is the first, with `isCached: true`. */
  idempotencyKey?: KeyMaterial;
  /** How long these keys are kept. See {@link TriggerOptions}. */
  idempotencyKeyTTL?: string;
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

/** The items of a batch, 1 to 1,000. An iterable is read to its end before anything is triggered, so that a batch begins only if all of it may. */
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
  /** The run existed before: its idempotency key or its debounce key found it. A trigger always says so, or that it did not. */
  isCached?: boolean;
  /** Trigger.dev has here a token that lets a browser follow the run. Runlane has no such tokens so far: it is always absent. */
  publicAccessToken?: string;
} & BrandedRun<TPayload, TOutput>;

// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type AnyRunHandle = RunHandle<string, any, any>;

/** A batch that was triggered. */
export type BatchRunHandle<TIdentifier extends string, TPayload, TOutput> = {
  /** Id of the batch, for `batch.retrieve`. */
  batchId: string;
  /** Number of runs. */
  runCount: number;
  /** The batch existed before: its idempotency key found it. */
  isCached: boolean;
  /** The runs, in the order of the items. Ours: Trigger.dev v4 leaves them out. */
  runs: RunHandle<TIdentifier, TPayload, TOutput>[];
  /** Always absent so far; see {@link RunHandle}. */
  publicAccessToken?: string;
} & BrandedRun<TPayload, TOutput>;

// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type AnyBatchRunHandle = BatchRunHandle<string, any, any>;

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
  /** Names the batch for your logs: the server does not know batches that are waited for so far. */
  id: string;
  /** In the order of the items. */
  runs: TaskRunResult<TIdentifier, TOutput>[];
}

export type AnyBatchResult = BatchResult<string, unknown>;

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
   * Triggers a run for each item, 1,000 at most, as one batch; inside a run they are its children. An item that cannot be triggered becomes a failed run (SYSTEM_FAILURE), which
   * `batch.retrieve` tells of.
   *
   * @throws BatchTriggerError if there are no items, or more than 1,000, or the server refuses the batch, or cannot be reached; TypeError, or Error, for an item that cannot be sent.
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
   * Triggers a run from inside another and follows it to its end, like `triggerAndWait`; but the run that calls goes on executing, and keeps its slot. When it runs once more, because its worker
   * was lost while it waited for something else, it follows the same run.
   *
   * @throws as `trigger`; Error outside a run; AbortError once `signal` is aborted.
   */
  triggerAndSubscribe: (payload: TInput, options?: TriggerAndSubscribeOptions) => TaskRunPromise<TIdentifier, TOutput>;
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
