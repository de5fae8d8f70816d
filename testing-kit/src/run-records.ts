import type { AnyTask, SerializedError, TriggerOptions } from "@runlane/sdk";

/**
 * What became of an attempt.
 *
 * - "running": its code runs, or waits for other runs.
 * - "completed": it returned.
 * - "failed": it threw; `retryAt` says whether there is another.
 * - "canceled": its run was cancelled.
 */
export type AttemptOutcome = "running" | "completed" | "failed" | "canceled";

/** A line that a task wrote by `logger`. */
export interface TestLogLine {
  /** "debug", "log", "info", "warn" or "error". */
  readonly level: string;
  readonly message: string;
  readonly properties?: Record<string, unknown> | undefined;
}

/** An attempt, as it stands. Times are virtual. */
export interface TestAttempt {
  /** Counts from 1. */
  readonly number: number;
  readonly startedAt: Date;
  /** Undefined while it runs. */
  readonly endedAt?: Date | undefined;
  readonly outcome: AttemptOutcome;
  /** What it threw, as `runs.retrieve` shows errors. */
  readonly error?: SerializedError | undefined;
  /** When the next attempt is due; undefined if there is none. */
  readonly retryAt?: Date | undefined;
  /** The hooks that were called, in their order: "init", "onStart", "onStartAttempt", …; those of the task and those for all tasks. */
  readonly hooks: readonly string[];
  /** What it logged, of every level. */
  readonly logs: readonly TestLogLine[];
}

/** A run that a task triggered. */
export interface TaskCall {
  /** Id of the triggered task. */
  readonly task: AnyTask["id"];
  /** As the run gets it. Undefined for one of more than 128 KiB, which `runs.retrieve(runId)` reads. */
  readonly payload: unknown;
  /** What the trigger asked for; without what it left to the task. */
  readonly options: TriggerOptions;
  /** The run that it made. */
  readonly runId: string;
  /** The run whose code triggered it, and its task. */
  readonly parent: { readonly runId: string; readonly task: AnyTask["id"] };
}
