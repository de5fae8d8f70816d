import type { Environment } from "./environment.js";
import type { RunRecord } from "./run-record.js";

/** How long a run that is bound to a version waits for a worker that has it, in milliseconds, unless the server is told otherwise. */
export const defaultVersionPatienceMs = 5 * 60_000;

/** A version of an environment's code. Changed by `apply` only. */
export interface VersionRecord {
  /** Its number, for instance "20261123.1". */
  readonly version: string;
  /** Content hash that workers gave. */
  readonly buildId: string;
  readonly createMs: number;
  /** Counts the environment's versions from 0, in the order in which they were first seen. */
  readonly index: number;
  /** An older version was promoted over it: it starts nothing but runs that are bound to it, until it is promoted itself. */
  setAside: boolean;
}

/** The versions of an environment, and what waits for one of them. */
export interface Versions {
  readonly byBuild: Map<string, VersionRecord>;
  readonly byNumber: Map<string, VersionRecord>;
  /** The version that runs start on if they may choose: the one first seen last, or promoted last, whichever came later. Undefined: there is none. */
  current: VersionRecord | undefined;
  /** Ready runs that are bound to a version, in the order in which they became ready, with the time of that. */
  readonly bound: Map<string, Map<RunRecord, number>>;
}

/** No version so far. */
export function createVersions(): Versions {
  return { byBuild: new Map(), byNumber: new Map(), current: undefined, bound: new Map() };
}

/** Takes a version that was never seen before: it is current. */
export function addVersion(versions: Versions, version: string, buildId: string, createMs: number): void {
  const record: VersionRecord = { version, buildId, createMs, index: versions.byNumber.size, setAside: false };
  versions.byBuild.set(buildId, record);
  versions.byNumber.set(version, record);
  versions.current = record;
}

/** Makes a version current. Those that came after it are set aside: whoever goes back does not want them to start anything. */
export function promoteVersion(versions: Versions, record: VersionRecord): void {
  for (const other of versions.byNumber.values()) if (other.index > record.index) other.setAside = true;
  record.setAside = false;
  versions.current = record;
}

/**
 * Whether runs that are bound to no version may start on this one: on the current one, and while that has no room on older ones, the newest first, that are not set aside.
 * Not only on the one before: workers with different tasks are different versions, too, and each has the tasks that it has.
 */
export function startsRuns({ versions }: Environment, version: string): boolean {
  const record = versions.byNumber.get(version);
  return record !== undefined && !record.setAside && record.index <= (versions.current?.index ?? -1);
}

/** Notes that a run that is bound to a version is ready. */
export function addBound({ versions: { bound } }: Environment, run: RunRecord, readyMs: number): void {
  const runs = bound.get(run.version);
  if (runs) runs.set(run, readyMs);
  else bound.set(run.version, new Map([[run, readyMs]]));
}

/** Notes that it is no longer ready, or no longer bound. */
export function removeBound({ versions: { bound } }: Environment, run: RunRecord): void {
  const runs = bound.get(run.version);
  runs?.delete(run);
  if (runs?.size === 0) bound.delete(run.version);
}
