import { writeRichValue } from "../values/rich-value.js";
import { ApiError, RateLimitError } from "./api-error.js";

/** The payload of a run is not what the schema of its task asks for. It ends the run, and is never retried. `cause` is what the schema threw. */
export class TaskPayloadParsedError extends Error {
  override readonly name = "TaskPayloadParsedError";

  constructor(cause: unknown) {
    super(`Parsing payload with schema failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Throw it in a task to end the run as failed, without further attempts. Recognised by its name, because a project may hold several copies of the class. */
export class AbortTaskRunError extends Error {
  override readonly name = "AbortTaskRunError";
}

/**
 * Throw it in a task whose memory runs out, or in place of an error of a program that it started. The run goes on where
 * `retry.outOfMemory` says, and else it fails, unless `catchError` decides otherwise: another attempt of the same size would fare no better. Recognised by its name.
 */
export class OutOfMemoryError extends Error {
  override readonly name = "OutOfMemoryError";

  constructor() {
    super("MANUAL_OOM_KILL_ERROR");
  }
}

/** Throw it in `run` to complete the run at once, with this output; thrown by a hook it is an error like others. Recognised by its name. */
export class CompleteTaskWithOutput extends Error {
  override readonly name = "CompleteTaskWithOutput";
  /** The run's output. */
  readonly output: unknown;

  constructor(output?: unknown) {
    super("Complete task with output");
    this.output = output;
  }
}

/** True for a CompleteTaskWithOutput of any copy of the SDK. */
export function isCompletion(error: unknown): error is CompleteTaskWithOutput {
  return error instanceof Error && error.name === "CompleteTaskWithOutput";
}

/** Thrown by `triggerAndWait(…).unwrap()` for a run that did not complete. */
export class SubtaskUnwrapError extends Error {
  override readonly name = "SubtaskUnwrapError";
  readonly taskId: string;
  readonly runId: string;
  /** The run's error. */
  override readonly cause: unknown;

  constructor(taskId: string, runId: string, subtaskError: unknown) {
    super(`Task ${taskId} failed in run ${runId}: ${subtaskError instanceof Error ? String(subtaskError) : writeRichValue(subtaskError).json}`);
    this.taskId = taskId;
    this.runId = runId;
    this.cause = subtaskError;
  }
}

/** An item of a batch that could not be triggered. */
export interface BatchFailure {
  /** Its place in the batch. */
  readonly index: number;
  readonly error: unknown;
}

/** What a {@link BatchTriggerError} knows. */
export interface BatchTriggerErrorInfo {
  /** Default "create". */
  readonly phase?: "offload" | "create" | "stream";
  readonly batchId?: string | undefined;
  readonly itemCount: number;
  readonly failures?: readonly BatchFailure[];
  readonly runs?: readonly { id: string; taskIdentifier: string }[];
  readonly cause?: unknown;
}

/** A batch, or some of its items, could not be triggered. */
export class BatchTriggerError extends Error {
  override readonly name = "BatchTriggerError";
  /** As in Trigger.dev: "offload" while large payloads were stored, "create" when the batch was to be made, "stream" when it exists and further items were to join it. */
  readonly phase: "offload" | "create" | "stream";
  readonly batchId: string | undefined;
  readonly itemCount: number;
  /** The items that could not be triggered, of a batch that somebody waits for; in other batches they are failed runs. Ours. */
  readonly failures: readonly BatchFailure[];
  /** The runs of the other items: they exist. Ours. */
  readonly runs: readonly { id: string; taskIdentifier: string }[];
  /** The error of the first item, or what the batch failed with. */
  override readonly cause: unknown;

  constructor(message: string, { phase = "create", batchId, itemCount, failures = [], runs = [], cause }: BatchTriggerErrorInfo) {
    super(message);
    this.phase = phase;
    this.batchId = batchId;
    this.itemCount = itemCount;
    this.failures = failures;
    this.runs = runs;
    this.cause = cause ?? failures[0]?.error;
  }

  /** `cause`, if it is an ApiError. */
  get apiError(): ApiError | undefined {
    return this.cause instanceof ApiError ? this.cause : undefined;
  }

  /** True if a limit was reached. */
  get isRateLimited(): boolean {
    return this.cause instanceof RateLimitError;
  }

  /** When to try again, in milliseconds. Set only if a limit was reached. */
  get retryAfterMs(): number | undefined {
    return this.cause instanceof RateLimitError ? this.cause.millisecondsUntilReset : undefined;
  }
}
