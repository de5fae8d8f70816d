import type {
  HandleErrorResult,
  InitOutput,
  TaskCancelHookParams,
  TaskCatchErrorHookParams,
  TaskCleanupHookParams,
  TaskCompleteHookParams,
  TaskErrorHookParams,
  TaskFailureHookParams,
  TaskInitHookParams,
  TaskMiddlewareHookParams,
  TaskResumeHookParams,
  TaskStartAttemptHookParams,
  TaskStartHookParams,
  TaskSuccessHookParams,
  TaskWaitHookParams,
} from "./hook-params.js";

/** What a hook returns that nobody listens to. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function returns, or the promise of it
export type Unheard = undefined | void | Promise<undefined | void>;

/** A hook of a task, or of all tasks: a function of one object. `TParams` is that object. */
export type OnInitHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskInitHookParams<TPayload>) => TInit | Promise<TInit>;
export type OnStartHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskStartHookParams<TPayload, TInit>) => Unheard;
export type OnStartAttemptHookFunction<TPayload> = (params: TaskStartAttemptHookParams<TPayload>) => Unheard;
export type OnSuccessHookFunction<TPayload, TOutput, TInit extends InitOutput = InitOutput> = (
  params: TaskSuccessHookParams<TPayload, TOutput, TInit>,
) => Unheard;
export type OnFailureHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskFailureHookParams<TPayload, TInit>) => Unheard;
export type OnErrorHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskErrorHookParams<TPayload, TInit>) => Unheard;
export type OnCompleteHookFunction<TPayload, TOutput, TInit extends InitOutput = InitOutput> = (
  params: TaskCompleteHookParams<TPayload, TOutput, TInit>,
) => Unheard;
export type OnWaitHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskWaitHookParams<TPayload, TInit>) => Unheard;
export type OnResumeHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskResumeHookParams<TPayload, TInit>) => Unheard;
export type OnCancelHookFunction<TPayload, TOutput = unknown, TInit extends InitOutput = InitOutput> = (
  params: TaskCancelHookParams<TPayload, TOutput, TInit>,
) => Unheard;
export type OnCatchErrorHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (
  params: TaskCatchErrorHookParams<TPayload, TInit>,
) => HandleErrorResult;
export type OnCleanupHookFunction<TPayload, TInit extends InitOutput = InitOutput> = (params: TaskCleanupHookParams<TPayload, TInit>) => Unheard;
export type OnMiddlewareHookFunction<TPayload> = (params: TaskMiddlewareHookParams<TPayload>) => Promise<void> | void;

/** Hooks for all tasks, of which nothing more is known; the names are Trigger.dev's. */
export type AnyOnInitHookFunction = OnInitHookFunction<unknown>;
export type AnyOnStartHookFunction = OnStartHookFunction<unknown>;
export type AnyOnStartAttemptHookFunction = OnStartAttemptHookFunction<unknown>;
export type AnyOnSuccessHookFunction = OnSuccessHookFunction<unknown, unknown>;
export type AnyOnFailureHookFunction = OnFailureHookFunction<unknown>;
export type AnyOnErrorHookFunction = OnErrorHookFunction<unknown>;
export type AnyOnCompleteHookFunction = OnCompleteHookFunction<unknown, unknown>;
export type AnyOnWaitHookFunction = OnWaitHookFunction<unknown>;
export type AnyOnResumeHookFunction = OnResumeHookFunction<unknown>;
export type AnyOnCancelHookFunction = OnCancelHookFunction<unknown>;
export type AnyOnCatchErrorHookFunction = OnCatchErrorHookFunction<unknown>;
export type AnyOnMiddlewareHookFunction = OnMiddlewareHookFunction<unknown>;

/** The hooks that a task may have, in the order in which they are called. docs/hooks.md says what an error in each of them does. */
export interface TaskHooks<TPayload, TOutput, TInit extends InitOutput> {
  /** Around everything else, in every attempt. What it throws fails the attempt with TASK_MIDDLEWARE_ERROR, whatever the attempt came to. */
  middleware?: OnMiddlewareHookFunction<TPayload>;
  /** Before `onStart` and `run`, in every attempt. The object that it returns is `init` for `run` and the hooks that follow. */
  init?: OnInitHookFunction<TPayload, TInit>;
  /** Before `run`, in the first attempt. What it throws fails the attempt. */
  onStart?: OnStartHookFunction<TPayload, TInit>;
  /** Before `run`, in every attempt. What it throws fails the attempt. */
  onStartAttempt?: OnStartAttemptHookFunction<TPayload>;
  /** When the run is cancelled while it executes, beside `run`. It has 30 s. */
  onCancel?: OnCancelHookFunction<TPayload, TOutput, TInit>;
  /** When the run begins to wait and the server knows of it: for other runs, a token, or a time of more than 5 s. What it throws, the wait throws. */
  onWait?: OnWaitHookFunction<TPayload, TInit>;
  /** When such a wait has ended, before the code hears of it. What it throws, the wait throws. */
  onResume?: OnResumeHookFunction<TPayload, TInit>;
  /** After `run` returned. What it throws is printed and changes nothing. */
  onSuccess?: OnSuccessHookFunction<TPayload, TOutput, TInit>;
  /** After every failed attempt, before `catchError`; also where that is not called. What it throws is printed and changes nothing. Ours. */
  onError?: OnErrorHookFunction<TPayload, TInit>;
  /** After a failed attempt: decides whether and when there is another, and may replace the error. What it throws fails the run with HANDLE_ERROR_ERROR. */
  catchError?: OnCatchErrorHookFunction<TPayload, TInit>;
  /** Trigger.dev's older name of `catchError`, which goes before it. */
  handleError?: OnCatchErrorHookFunction<TPayload, TInit>;
  /** After the last failed attempt. What it throws is printed and changes nothing. */
  onFailure?: OnFailureHookFunction<TPayload, TInit>;
  /** When the run has completed or failed. What it throws is printed and changes nothing. */
  onComplete?: OnCompleteHookFunction<TPayload, TOutput, TInit>;
  /** At the end of every attempt. What it throws after a success fails the run. */
  cleanup?: OnCleanupHookFunction<TPayload, TInit>;
}
