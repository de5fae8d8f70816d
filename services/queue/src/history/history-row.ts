import type { IdempotencyScope, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";

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
  askedAttempts: number;
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
  /** Of the first attempt and those after it; 0 for none. */
  machine: number;
  /** Seconds, as `machine`; 0 for no limit. */
  maxDurationSeconds: number;
  /** When it enters, or entered, its queue; 0: when it was created. */
  queueMs: number;
  /** Seconds that it may be in its queue before it starts, fixed when it enters it; 0 for no limit. */
  ttlSeconds: number;
  expireMs: number;
  /** Number of its batch; 0 for none. */
  readonly batch: number;
  readonly test: boolean;
  /** What its trigger asked for and most do not. */
  asked: AskedSettings | null;
  tags: readonly string[];
  /** An encoded runlane.v1.Failure. */
  failure: Uint8Array | null;
}

/** What a trigger asked for and most do not. */
export interface AskedSettings {
  /** The version that the run is bound to before its first attempt; empty for none. */
  readonly version: string;
  /** Empty for the task's. */
  readonly machine: string;
  /** Seconds; undefined for the task's. */
  readonly maxDurationSeconds?: number | undefined;
  /** Seconds; undefined for the task's. */
  readonly ttlSeconds?: number | undefined;
  /** The idempotency key as its author wrote it. */
  readonly key?: string | undefined;
  readonly scope?: IdempotencyScope | undefined;
  readonly concurrencyKey?: string | undefined;
  readonly priorityMs?: number | undefined;
  readonly weight?: number | undefined;
  /** Number of the run that it repeats. */
  readonly replayOf?: number | undefined;
}

/** A run that is kept in memory, because it changes. */
export interface CachedRow extends HistoryRow {
  /** The table has it, as it was at its last flush. */
  stored: boolean;
  /** The table has, or gets, something in the columns that most runs have nothing in; see RunTable. */
  rare: boolean;
  /** It differs from the table. */
  dirty: boolean;
  /** Encoded runlane.v1.Payload; only until the row is stored, then null. */
  payload: Uint8Array | null;
  /** Encoded runlane.v1.Payload; only until the output is stored, then null. */
  output: Uint8Array | null;
  /** Encoded runlane.v1.Payload, if it changed; only until it is stored, then null. */
  metadata: Uint8Array | null;
  /** The tags that the table has, if a later trigger took the place of the data of a delayed run. Null if none did since the row was stored. */
  replacedTags: readonly string[] | null;
}
