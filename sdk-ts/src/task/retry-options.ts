import type { MachinePresetName } from "../machine/machine-preset.js";

/** When and how often a failed attempt is tried again. Names and defaults are Trigger.dev's. */
export interface RetryOptions {
  /** Attempts in total, the first included, 1 to 250. Default 3. */
  maxAttempts?: number;
  /** How much longer each delay is than the one before. Default 2. */
  factor?: number;
  /** Delay after the first failed attempt, in milliseconds. Default 1,000. */
  minTimeoutInMs?: number;
  /** No delay is longer, in milliseconds. Default 60,000. */
  maxTimeoutInMs?: number;
  /** Multiplies each delay by a random factor from 1 to 2, so that many failures do not come back together. Default true. */
  randomize?: boolean;
  /** What to do about an attempt whose memory ran out, which is not tried again otherwise. */
  outOfMemory?: {
    /** Machine of the run's next attempts, after the usual delay. A run that is on it already fails. */
    machine?: MachinePresetName;
  };
}

/** The defaults, as in Trigger.dev. */
export const defaultRetryOptions = {
  maxAttempts: 3,
  factor: 2,
  minTimeoutInMs: 1_000,
  maxTimeoutInMs: 60_000,
  randomize: true,
} as const satisfies Required<Omit<RetryOptions, "outOfMemory">>;

/**
 * Delay after failed attempt number `attempt` (from 1), in whole milliseconds; undefined when the attempts are used up. `random` is in [0, 1).
 */
export function retryDelay(options: RetryOptions, attempt: number, random: () => number = Math.random): number | undefined {
  const { maxAttempts, factor, minTimeoutInMs, maxTimeoutInMs, randomize } = { ...defaultRetryOptions, ...options };
  if (attempt >= maxAttempts) return undefined;
  const jitter = randomize ? 1 + random() : 1;
  return Math.round(Math.min(maxTimeoutInMs, jitter * minTimeoutInMs * factor ** (attempt - 1)));
}
