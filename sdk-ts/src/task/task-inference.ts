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
} from "../hooks/hook-params.js";
import type { TaskHooks, Unheard } from "../hooks/task-hooks.js";
import type { AnyPayloadTask, Task, TaskOptions, TaskOptionsWithJsonSchema } from "./task-types.js";

// How `task` infers its types. TypeScript reads the functions of an object literal in their order, and settles whatever type variable stands in the parameters of one before it
// reads the next. So a hook that stands before `run` would settle the payload as `void`, as it does in Trigger.dev. Here the parameters of each hook are a type variable of their
// own, which nothing but its default gives a type to; a default is looked up without settling the variables in it. A hook after `run` sees the types of `run`; one before it sees
// `any`; and the task's own types are those of `run` wherever that stands.

// biome-ignore-start lint/suspicious/noExplicitAny: stands for what is not known at that point
/** The payload as far as it is known where a hook stands. */
// biome-ignore lint/suspicious/noConfusingVoidType: the payload of a task without one
type Known<T> = [T] extends [void] ? any : T;

/** The same for outputs and what `init` returned, of which nothing known is `unknown`. */
type KnownValue<T> = unknown extends T ? any : T;
// biome-ignore-end lint/suspicious/noExplicitAny: see above

/** The type of `task`. The first four type parameters are those of Trigger.dev; leave the others alone. */
export interface DefineTask {
  /** With a JSON Schema in place of the payload's type. */
  // biome-ignore lint/suspicious/noExplicitAny: the payload is any, and so is what `init` returns where there is none
  <TIdentifier extends string, TOutput = unknown, TInit extends InitOutput = any>(
    options: TaskOptionsWithJsonSchema<TIdentifier, TOutput, TInit>,
  ): AnyPayloadTask<TIdentifier, TOutput>;
  <
    TIdentifier extends string,
    TInput = void,
    TOutput = unknown,
    // biome-ignore lint/suspicious/noExplicitAny: nothing is known of what `init` returns where there is none
    TInit extends InitOutput = any,
    TOnMiddleware = TaskMiddlewareHookParams<Known<TInput>>,
    TOnInit = TaskInitHookParams<Known<TInput>>,
    TOnStart = TaskStartHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnStartAttempt = TaskStartAttemptHookParams<Known<TInput>>,
    TOnCancel = TaskCancelHookParams<Known<TInput>, KnownValue<TOutput>, KnownValue<TInit>>,
    TOnWait = TaskWaitHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnResume = TaskResumeHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnSuccess = TaskSuccessHookParams<Known<TInput>, KnownValue<TOutput>, KnownValue<TInit>>,
    TOnError = TaskErrorHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnCatchError = TaskCatchErrorHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnHandleError = TaskCatchErrorHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnFailure = TaskFailureHookParams<Known<TInput>, KnownValue<TInit>>,
    TOnComplete = TaskCompleteHookParams<Known<TInput>, KnownValue<TOutput>, KnownValue<TInit>>,
    TOnCleanup = TaskCleanupHookParams<Known<TInput>, KnownValue<TInit>>,
  >(
    options: Omit<TaskOptions<TIdentifier, TInput, TOutput, TInit>, keyof TaskHooks<TInput, TOutput, TInit>> & {
      middleware?: (params: NoInfer<TOnMiddleware>) => Promise<void> | void;
      init?: (params: NoInfer<TOnInit>) => TInit | Promise<TInit>;
      onStart?: (params: NoInfer<TOnStart>) => Unheard;
      onStartAttempt?: (params: NoInfer<TOnStartAttempt>) => Unheard;
      onCancel?: (params: NoInfer<TOnCancel>) => Unheard;
      onWait?: (params: NoInfer<TOnWait>) => Unheard;
      onResume?: (params: NoInfer<TOnResume>) => Unheard;
      onSuccess?: (params: NoInfer<TOnSuccess>) => Unheard;
      onError?: (params: NoInfer<TOnError>) => Unheard;
      catchError?: (params: NoInfer<TOnCatchError>) => HandleErrorResult;
      handleError?: (params: NoInfer<TOnHandleError>) => HandleErrorResult;
      onFailure?: (params: NoInfer<TOnFailure>) => Unheard;
      onComplete?: (params: NoInfer<TOnComplete>) => Unheard;
      cleanup?: (params: NoInfer<TOnCleanup>) => Unheard;
    },
  ): Task<TIdentifier, TInput, TOutput>;
}
