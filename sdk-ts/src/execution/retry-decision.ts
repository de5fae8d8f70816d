import { isApiError } from "../errors/api-error.js";
import type { HandleErrorModificationOptions } from "../hooks/hook-params.js";
import { type RetryOptions, retryDelay } from "../task/retry-options.js";
import { isError } from "../worker/failure.js";

/** Attempts that a run may have at all. As in Trigger.dev. */
const mostAttempts = 250;

/** Errors of these names end the run, whatever anybody says. By name, because a project may hold several copies of their classes. As in Trigger.dev. */
const finalErrors = new Set(["AbortTaskRunError", "TaskPayloadParsedError"]);

/** What decides on the retries of a run. */
export interface RetryRules {
  /** The task's, else the config's, else none. */
  readonly options: RetryOptions | undefined;
  /** Number of this attempt; the first is 1. */
  readonly attempt: number;
  /** Attempts in total: the trigger's word, else the task's. */
  readonly maxAttempts: number;
  /** False: no error is tried again, and `catchError` is not asked. */
  readonly enabled: boolean;
  /** Spreads the delays: a random number in [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** What follows a failed attempt. */
export interface RetryDecision {
  /** How long to wait before the next one, in milliseconds; undefined if there is none. */
  readonly delay: number | undefined;
  /** What the attempt fails with instead of what was thrown; undefined if nobody replaced it. */
  readonly error?: unknown;
}

/** The retry options that hold for the run. */
export function effectiveRetry({ options, maxAttempts }: RetryRules): RetryOptions {
  return { ...options, maxAttempts: Math.min(mostAttempts, maxAttempts) };
}

/** True if an error is not tried again and `catchError` is not asked. The rules are Trigger.dev's. */
export function endsRun(error: unknown, { enabled }: RetryRules): boolean {
  if (!enabled || (isError(error) && finalErrors.has(error.name))) return true;
  // What Runlane itself refuses, it will refuse again, unless it says when to come back.
  const status = isApiError(error) ? error.status : undefined;
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** True for an OutOfMemoryError of any copy of the SDK, and for the end of an ffmpeg that somebody killed. As in Trigger.dev. */
export function isOutOfMemoryError(error: unknown): boolean {
  return isError(error) && (error.name === "OutOfMemoryError" || error.message === "ffmpeg was killed with signal SIGKILL");
}

/** How long to wait before the next attempt if no hook decides, in milliseconds; undefined if there is none. */
export function defaultDelay(error: unknown, rules: RetryRules): number | undefined {
  // A machine of the same size would run out of memory again.
  if (endsRun(error, rules) || isOutOfMemoryError(error)) return undefined;
  const delay = retryDelay(effectiveRetry(rules), rules.attempt, rules.random);
  return delay !== undefined && isApiError(error) && error.status === 429 ? (error.retryAfterMs ?? delay) : delay;
}

/**
 * What a `catchError` hook decided. Whatever it says, there is no attempt beyond the run's last: the server would not start it, and the hooks for a run's end would not be called.
 */
export function decisionOf(said: HandleErrorModificationOptions, rules: RetryRules, now: number): RetryDecision {
  const delay = rules.attempt >= Math.min(mostAttempts, rules.maxAttempts) ? undefined : saidDelay(said, rules, now);
  return said.error === undefined ? { delay } : { delay, error: said.error };
}

function saidDelay(
  { skipRetrying, retryAt, retryDelayInMs, retry }: HandleErrorModificationOptions,
  { attempt, random }: RetryRules,
  now: number,
): number | undefined {
  if (skipRetrying) return undefined;
  if (retryAt instanceof Date && !Number.isNaN(retryAt.getTime())) return Math.max(0, retryAt.getTime() - now);
  if (typeof retryDelayInMs === "number") return Math.max(0, retryDelayInMs);
  return typeof retry === "object" && retry !== null ? retryDelay(retry, attempt, random) : undefined;
}
