import { decideDeclarations } from "./decide-declarations.js";
import type { Environment } from "./environment.js";
import { runUnbound, versionPromoted } from "./events.js";
import { emit, type Step } from "./step.js";
import type { VersionRecord } from "./version-record.js";
import type { Volatile } from "./volatile.js";

/** Makes a version current. What it declares of its tasks counts from now on, as far as a connected worker says it. */
export function decidePromote(step: Step, environment: Environment, record: VersionRecord): void {
  if (record === environment.versions.current) return;
  emit(step, versionPromoted(environment.name, record.version));
  for (const { open, session, declarations } of step.volatile.connections.values()) {
    if (open && session.environment === environment && session.version === record.version)
      return decideDeclarations(step, environment, record.version, declarations);
  }
}

/** Lets runs start on the current version that have waited for a worker of theirs for too long. */
export function unbindStranded(step: Step): void {
  for (const environment of step.durable.environments.values()) {
    for (const [version, runs] of environment.versions.bound) {
      const since = absentSince(step, environment, version);
      if (since === undefined) continue;
      for (const [run, readyMs] of runs) {
        if (Math.max(since, readyMs) + step.volatile.versionPatienceMs > step.now) break;
        emit(step, runUnbound(run));
      }
    }
  }
}

/** When the first of them will have waited for too long; undefined if none waits in vain. */
export function dueToUnbind(step: Pick<Step, "durable" | "volatile" | "now">): number | undefined {
  let due: number | undefined;
  for (const environment of step.durable.environments.values()) {
    for (const [version, runs] of environment.versions.bound) {
      const since = absentSince(step, environment, version);
      const [readyMs] = runs.values();
      if (since === undefined || readyMs === undefined) continue;
      const at = Math.max(since, readyMs) + step.volatile.versionPatienceMs;
      due = due === undefined ? at : Math.min(due, at);
    }
  }
  return due;
}

/** Since when no worker of a version is connected that takes work; undefined if one is. Begins anew with each owner, as leases do. */
function absentSince({ volatile, now }: Pick<Step, "volatile" | "now">, environment: Environment, version: string): number | undefined {
  let absent = volatile.absent.get(environment);
  if (isThere(volatile, environment, version)) {
    absent?.delete(version);
    return undefined;
  }
  if (!absent) {
    absent = new Map();
    volatile.absent.set(environment, absent);
  }
  const since = absent.get(version) ?? now;
  absent.set(version, since);
  return since;
}

function isThere({ connections }: Volatile, environment: Environment, version: string): boolean {
  for (const { open, draining, session } of connections.values()) {
    if (open && !draining && session.environment === environment && session.version === version) return true;
  }
  return false;
}
