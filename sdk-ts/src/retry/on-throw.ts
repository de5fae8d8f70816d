import { defaultRetryOptions, type RetryOptions, retryDelay } from "../task/retry-options.js";
import { pauseSignal, pauseUntil } from "./pause.js";

/**
 * Calls a function until it does not throw, with backoff. Options that are not given have the defaults of {@link RetryOptions}: three attempts, 1 s to 60 s apart.
 *
 * Between attempts it sleeps in the process, and the run keeps its slot. A run that is stopped meanwhile ends the sleep with an AbortError. Works outside a run, too.
 *
 * @throws the last error, when the attempts are used up; an AbortTaskRunError at once
 */
export async function onThrow<T>(fn: (options: { attempt: number; maxAttempts: number }) => Promise<T>, options: RetryOptions): Promise<T> {
  const maxAttempts = options?.maxAttempts ?? defaultRetryOptions.maxAttempts;
  const signal = pauseSignal();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn({ attempt, maxAttempts });
    } catch (error) {
      // By name: a project may hold several copies of the class.
      if (error instanceof Error && error.name === "AbortTaskRunError") throw error;
      const delay = retryDelay({ ...options, maxAttempts }, attempt);
      if (delay === undefined) throw error;
      await pauseUntil(Date.now() + delay, signal);
    }
  }
}
