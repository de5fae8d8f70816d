import type { Environment } from "./environment.js";
import type { RunRecord } from "./run-record.js";

/** One life of a worker, as the log knows it. */
export interface SessionRecord {
  readonly number: number;
  readonly environment: Environment;
  readonly workerId: string;
  readonly incarnation: bigint;
  readonly version: string;
  /** Runs whose present attempt belongs to it: its phase has `session`. */
  readonly runs: Set<RunRecord>;
  /** How many of them hold a slot of the worker. */
  busy: number;
}
