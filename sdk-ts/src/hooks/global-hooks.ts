import { currentRunRuntime } from "../runtime/run-runtime.js";
import { addHook, globalHooks, type Hook, type HookKind } from "./hook-table.js";
import type {
  AnyOnCancelHookFunction,
  AnyOnCatchErrorHookFunction,
  AnyOnCompleteHookFunction,
  AnyOnErrorHookFunction,
  AnyOnFailureHookFunction,
  AnyOnMiddlewareHookFunction,
  AnyOnResumeHookFunction,
  AnyOnStartAttemptHookFunction,
  AnyOnStartHookFunction,
  AnyOnSuccessHookFunction,
  AnyOnWaitHookFunction,
} from "./task-hooks.js";

/** Registers a hook. A name helps to replace it: of two hooks of a kind with one name, the later counts. */
export interface RegisterHook<THook> {
  (hook: THook): void;
  (name: string, hook: THook): void;
}

/**
 * Hooks for all tasks of the worker. Best registered in `init.ts` at the top of a folder of task files, which is loaded before them. They are called in the order of their
 * registration, before those of the task (`catchError` and `onError`: after them).
 *
 * Registered inside a run, a hook is for that attempt alone.
 */
export const globalHookFunctions = {
  onStart: register<AnyOnStartHookFunction>("onStart"),
  onStartAttempt: register<AnyOnStartAttemptHookFunction>("onStartAttempt"),
  onSuccess: register<AnyOnSuccessHookFunction>("onSuccess"),
  onFailure: register<AnyOnFailureHookFunction>("onFailure"),
  /** Ours: after every failed attempt. */
  onError: register<AnyOnErrorHookFunction>("onError"),
  onComplete: register<AnyOnCompleteHookFunction>("onComplete"),
  /** Accepted, and not called so far. */
  onWait: register<AnyOnWaitHookFunction>("onWait"),
  /** Accepted, and not called so far. */
  onResume: register<AnyOnResumeHookFunction>("onResume"),
  /** May be called inside `run`, for instance to undo what it has just begun. */
  onCancel: register<AnyOnCancelHookFunction>("onCancel"),
  catchError: register<AnyOnCatchErrorHookFunction>("catchError"),
  /** Trigger.dev's older name of `catchError`. */
  handleError: register<AnyOnCatchErrorHookFunction>("catchError"),
  middleware: register<AnyOnMiddlewareHookFunction>("middleware"),
};

function register<THook>(kind: HookKind): RegisterHook<THook> {
  return (nameOrHook: string | THook, hook?: THook) => {
    const name = typeof nameOrHook === "string" ? nameOrHook : undefined;
    const given = typeof nameOrHook === "string" ? hook : nameOrHook;
    if (typeof given !== "function") throw new TypeError(`tasks.${kind}: a hook must be a function`);
    registerHook(kind, given as Hook, name);
  };
}

/** Registers a hook: for the attempt that calls, else for all tasks. */
export function registerHook(kind: HookKind, hook: Hook, name: string | undefined): void {
  const runtime = currentRunRuntime();
  if (runtime) addHook((runtime.scope.hooks ??= {}), kind, { name, hook });
  else addHook((globalHooks().table ??= {}), kind, { name, hook });
}
