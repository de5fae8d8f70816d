import type { TaskRunContext } from "../runtime/task-run-context.js";
import type { RetryOptions } from "../task/retry-options.js";

// `any` in this file stands for what an `init` hook returned, where nothing is known of it; as in Trigger.dev's types.

/** What an `init` hook returns: a plain object; anything else counts as none. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is one, too
// biome-ignore lint/suspicious/noExplicitAny: see the top of this file
export type InitOutput = Record<string, any> | undefined | void;

/** What every hook is given. */
export interface TaskHookParams<TPayload = unknown> {
  /** The run, its attempt, its task; the same object as in `run`. */
  ctx: TaskRunContext;
  payload: TPayload;
  /** Id of the task. */
  task: string;
  /** Aborted when the run is cancelled. */
  signal: AbortSignal;
}

/** Given to `init`. */
export type TaskInitHookParams<TPayload = unknown> = TaskHookParams<TPayload>;

/** Given to `onStartAttempt`. */
export type TaskStartAttemptHookParams<TPayload = unknown> = TaskHookParams<TPayload>;

/** What hooks are given that come after `init`. */
export interface TaskInitializedHookParams<TPayload = unknown, TInit = InitOutput> extends TaskHookParams<TPayload> {
  /** What the `init` hooks returned, merged. Undefined if one of them threw. */
  init?: TInit;
}

/** Given to `onStart`. */
export type TaskStartHookParams<TPayload = unknown, TInit = InitOutput> = TaskInitializedHookParams<TPayload, TInit>;

/** Given to `cleanup`. */
export type TaskCleanupHookParams<TPayload = unknown, TInit = InitOutput> = TaskInitializedHookParams<TPayload, TInit>;

/** Given to `onSuccess`. */
export interface TaskSuccessHookParams<TPayload = unknown, TOutput = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  /** What `run` returned. */
  output: TOutput;
}

/** Given to `onFailure`. */
export interface TaskFailureHookParams<TPayload = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  /** What the run fails with: what was thrown, or what `catchError` put in its place. */
  error: unknown;
}

/** Given to `onError`. Ours. */
export interface TaskErrorHookParams<TPayload = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  /** What the attempt failed with, before `catchError` has seen it. */
  error: unknown;
}

/** How a run ended, as `onComplete` is told. */
export type TaskCompleteResult<TOutput> = { ok: true; data: TOutput } | { ok: false; error: unknown };

/** Given to `onComplete`. */
export interface TaskCompleteHookParams<TPayload = unknown, TOutput = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  result: TaskCompleteResult<TOutput>;
}

/** Given to `onCancel`. */
export interface TaskCancelHookParams<TPayload = unknown, TOutput = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  /** Settles as `run` does; what it comes to changes nothing any more. Rejected with the signal's reason if `run` was not reached. */
  runPromise: Promise<TOutput>;
}

/** What a run waits for. */
export type TaskWait =
  | { type: "duration"; date: Date }
  | { type: "token"; token: string }
  | { type: "task"; runId: string }
  | { type: "batch"; batchId: string; runCount: number };

/** Given to `onWait`. */
export interface TaskWaitHookParams<TPayload = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  wait: TaskWait;
}

/** Given to `onResume`. */
export type TaskResumeHookParams<TPayload = unknown, TInit = InitOutput> = TaskWaitHookParams<TPayload, TInit>;

/** Given to `middleware`. */
export interface TaskMiddlewareHookParams<TPayload = unknown> extends TaskHookParams<TPayload> {
  /** Goes on: to the next middleware, and at last to the attempt itself. Resolves when that is over, however it ended. Called again, it does nothing new. */
  next: () => Promise<void>;
}

/** Given to `catchError`. */
export interface TaskCatchErrorHookParams<TPayload = unknown, TInit = InitOutput> extends TaskInitializedHookParams<TPayload, TInit> {
  /** What the attempt failed with. */
  error: unknown;
  /** The retry options that hold for the run. */
  retry?: RetryOptions;
  /** When the next attempt is due, if nobody decides otherwise; undefined if there is none. */
  retryAt?: Date;
  /** The same as a delay, in milliseconds. */
  retryDelayInMs?: number;
}

/** What a `catchError` hook decides. The first of these that is given counts; an object with none of the first four means that there is no other attempt. */
export interface HandleErrorModificationOptions {
  /** True: no other attempt. */
  skipRetrying?: boolean | undefined;
  /** When to try again, as long as the run has attempts left. */
  retryAt?: Date | undefined;
  /** How long to wait before the next attempt, in milliseconds, as long as the run has attempts left. */
  retryDelayInMs?: number | undefined;
  /** Retry options to compute the delay by, instead of the task's. Their `maxAttempts` can only end the run earlier. */
  retry?: RetryOptions | undefined;
  /** What the run fails with instead of what was thrown. Does not decide on retries. */
  error?: unknown;
}

/** What a `catchError` hook may return. Nothing: the next hook decides, at last the retry options. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is one, too
export type HandleErrorResult = undefined | void | HandleErrorModificationOptions | Promise<undefined | void | HandleErrorModificationOptions>;
