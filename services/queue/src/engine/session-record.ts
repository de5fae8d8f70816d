import type { Environment } from "./environment.js";
import type { Machine } from "./machine.js";
import type { RunRecord } from "./run-record.js";

/** One life of a worker, as the log knows it. */
export interface SessionRecord {
  readonly number: number;
  readonly environment: Environment;
  readonly workerId: string;
  readonly incarnation: bigint;
  readonly version: string;
  /** What its attempts with a machine may use together: thousandths of a core, and MiB. */
  readonly milliCpus: number;
  readonly memoryMib: number;
  /** Runs whose present attempt belongs to it: its phase has `session`. */
  readonly runs: Set<RunRecord>;
  /** How many of them hold a slot of the worker. */
  busy: number;
  /** What those of them that have a machine hold of the capacity. */
  usedMilliCpus: number;
  usedMemoryMib: number;
}

/** Whether a worker of this size could ever execute an attempt with this machine. */
export function isLargeEnough(session: SessionRecord, machine: Machine | undefined): boolean {
  return machine === undefined || (machine.milliCpus <= session.milliCpus && machine.memoryMib <= session.memoryMib);
}

/** Whether a worker has room for this machine now. */
export function fits(session: SessionRecord, machine: Machine | undefined): boolean {
  return (
    machine === undefined || (session.usedMilliCpus + machine.milliCpus <= session.milliCpus && session.usedMemoryMib + machine.memoryMib <= session.memoryMib)
  );
}
