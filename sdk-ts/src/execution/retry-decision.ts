import { isApiError } from "../errors/api-error.js";
import type { HandleErrorModificationOptions } from "../hooks/hook-params.js";
import { type RetryOptions, retryDelay } from "../task/retry-options.js";
import { isError } from "../worker/failure.js";
import { largerMachine, saysOutOfMemory } from "../worker/out-of-memory.js";

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
  /** Preset of the run's machine; undefined if it has none. */
  readonly machine?: string | undefined;
  /** Spreads the delays: a random number in [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** The attempt that follows a failed one. */
export interface NextAttempt {
  /** How long to wait before it, in milliseconds. */
  readonly delay: number;
  /** Preset of its machine, because memory ran out on this one; undefined for no change. */
  readonly machine?: string | undefined;
}

/** What follows a failed attempt. */
export interface RetryDecision {
  /** Undefined if there is none. */
  readonly next: NextAttempt | undefined;
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

/** The next attempt if no hook decides; undefined if there is none. */
export function defaultNext(error: unknown, rules: RetryRules): NextAttempt | undefined {
  if (endsRun(error, rules)) return undefined;
  const delay = retryDelay(effectiveRetry(rules), rules.attempt, rules.random);
  if (delay === undefined) return undefined;
  if (!ranOutOfMemory(error)) return { delay: isApiError(error) && error.status === 429 ? (error.retryAfterMs ?? delay) : delay };
  // A machine of the same size would run out of memory again.
  const machine = largerMachine(rules.options, rules.machine);
  return machine === undefined ? undefined : { delay, machine };
}

/**
 * What a `catchError` hook decided about an error. Whatever it says, there is no attempt beyond the run's last: the server would not start it, and the hooks for a run's end would not be called.
 */
export function decisionOf(error: unknown, said: HandleErrorModificationOptions, rules: RetryRules, now: number): RetryDecision {
  const delay = rules.attempt >= Math.min(mostAttempts, rules.maxAttempts) ? undefined : saidDelay(said, rules, now);
  const machine = ranOutOfMemory(error) ? largerMachine(rules.options, rules.machine) : undefined;
  const next = delay === undefined ? undefined : machine === undefined ? { delay } : { delay, machine };
  return said.error === undefined ? { next } : { next, error: said.error };
}

function ranOutOfMemory(error: unknown): boolean {
  return isError(error) && saysOutOfMemory(error);
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
