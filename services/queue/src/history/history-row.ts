import type { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/** A run in history. Names are numbers of {@link Names}; times are milliseconds of the Unix epoch, 0 for "not yet". */
export interface HistoryRow {
  readonly number: number;
  readonly environment: number;
  readonly task: number;
  queue: number;
  /** 0 before the first attempt. */
  version: number;
  state: RunState;
  attempt: number;
  /** Attempts that the trigger asked for; 0: the task's. */
  readonly askedAttempts: number;
  /** The trigger named the queue, so a later declaration of the task does not move the run. */
  readonly queueNamed: boolean;
  maxAttempts: number;
  readonly createMs: number;
  startMs: number;
  finishMs: number;
  retryMs: number;
  /** 0 for none. */
  readonly parent: number;
  readonly root: number;
  readonly depth: number;
  /** Sequence of the log record that changed it last. */
  position: number;
  /** An encoded runlane.v1.Failure. */
  failure: Uint8Array | null;
}

/** A run that is kept in memory, because it changes. */
export interface CachedRow extends HistoryRow {
  /** The table has it, as it was at its last flush. */
  stored: boolean;
  /** It differs from the table. */
  dirty: boolean;
  /** Encoded runlane.v1.Payload; only until the row is stored, then null. */
  payload: Uint8Array | null;
  /** Encoded runlane.v1.Payload; only until the output is stored, then null. */
  output: Uint8Array | null;
}
