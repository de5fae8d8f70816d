import { auditLists } from "./audit-lists.js";
import { runsOf } from "./batch-record.js";
import type { Durable } from "./durable.js";
import { phases } from "./phase.js";
import type { SessionRecord } from "./session-record.js";
import { SlotCount } from "./slot-count.js";

/**
 * Counts again, from the runs' phases alone, what is kept as a running count, and says where they differ. An empty list is the promise that no slot has leaked.
 */
export function audit(durable: Durable): string[] {
  const faults: string[] = [];
  const slots = new SlotCount();
  const busy = new Map<SessionRecord, number>();
  const milliCpus = new Map<SessionRecord, number>();
  const memoryMib = new Map<SessionRecord, number>();
  for (const run of durable.runs.values()) {
    const { ready, worker, session } = phases[run.phase];
    slots.add(run);
    if (session !== (run.session !== undefined)) faults.push(`run ${run.number} is ${run.phase} ${run.session ? "with" : "without"} a session`);
    if (run.session && !run.session.runs.has(run)) faults.push(`run ${run.number} is unknown to its session ${run.session.number}`);
    if (run.attempt > run.maxAttempts) faults.push(`run ${run.number} is at attempt ${run.attempt} of ${run.maxAttempts}`);
    for (const [id, wait] of run.waits ?? []) {
      const children = wait.children.filter((child) => !phases[durable.runs.get(child)?.phase ?? "completed"].final).length;
      // A time that has come is noticed by the next tick.
      const time = wait.untilMs > durable.now ? 1 : wait.untilMs > 0 ? wait.pending : 0;
      const token = run.environment.tokens.byNumber.get(wait.token);
      const open = children + time + (token?.state === "waiting" ? 1 : 0);
      if (open !== wait.pending) faults.push(`run ${run.number} counts ${wait.pending} open things in wait ${id}, there are ${open}`);
      if (token?.state === "waiting" && !token.waits.some((each) => each.run === run.number && each.attempt === run.attempt && each.waitId === id))
        faults.push(`token ${token.number} does not know of wait ${id} of run ${run.number}`);
    }
    if (run.phase === "waiting" && ![...(run.waits?.values() ?? [])].some((wait) => wait.pending > 0)) faults.push(`run ${run.number} waits for nothing`);
    if (worker && run.session && run.machine) {
      milliCpus.set(run.session, (milliCpus.get(run.session) ?? 0) + run.machine.milliCpus);
      memoryMib.set(run.session, (memoryMib.get(run.session) ?? 0) + run.machine.memoryMib);
    }
    if (run.version !== "" && ready !== (run.environment.versions.bound.get(run.version)?.has(run) ?? false)) {
      faults.push(`run ${run.number} is ${run.phase} and ${ready ? "not " : ""}listed under its version`);
    }
    if (worker && run.session) busy.set(run.session, (busy.get(run.session) ?? 0) + 1);
  }
  for (const batch of durable.batches.byNumber.values()) {
    const open = runsOf(batch).filter((number) => !phases[durable.runs.get(number)?.phase ?? "completed"].final).length;
    if (open !== batch.pending) faults.push(`batch ${batch.number} counts ${batch.pending} open runs, it has ${open}`);
    const counted = batch.pending + batch.succeeded + batch.failed;
    if (counted !== batch.size) faults.push(`batch ${batch.number} has ${batch.size} items and counts ${counted}`);
    if (batch.endMs > 0 !== (batch.state !== "open" && open === 0))
      faults.push(`batch ${batch.number} is ${batch.state} with ${open} open runs, and ended at ${batch.endMs}`);
  }
  for (const environment of durable.environments.values()) {
    for (const [key, run] of environment.debounces)
      if (run.phase !== "deferred") faults.push(`run ${run.number} collects triggers of ${key} and is ${run.phase}`);
    for (const { taskId, number, end } of environment.keys.values()) {
      const run = taskId === "" ? undefined : durable.runs.get(number);
      if (run && (run.phase === "failed" || run.phase === "expired")) faults.push(`run ${number} is ${run.phase} and has its idempotency key`);
      if (run && phases[run.phase].final !== (end !== undefined)) faults.push(`run ${number} is ${run.phase}, its idempotency key says ${end}`);
    }
    slots.compare(environment, faults);
    auditLists(environment, durable, faults);
  }
  slots.rest(faults);
  for (const session of durable.sessions.values()) {
    const count = busy.get(session) ?? 0;
    if (count !== session.busy) faults.push(`session ${session.number} counts ${session.busy} attempts, it has ${count}`);
    const [cpus, memory] = [milliCpus.get(session) ?? 0, memoryMib.get(session) ?? 0];
    if (cpus !== session.usedMilliCpus || memory !== session.usedMemoryMib) {
      faults.push(
        `session ${session.number} counts ${session.usedMilliCpus} milli-cpus and ${session.usedMemoryMib} MiB, its attempts have ${cpus} and ${memory}`,
      );
    }
    if (cpus > session.milliCpus || memory > session.memoryMib) {
      faults.push(`session ${session.number} has ${session.milliCpus} milli-cpus and ${session.memoryMib} MiB, its attempts have ${cpus} and ${memory}`);
    }
    for (const run of session.runs) if (run.session !== session) faults.push(`session ${session.number} lists run ${run.number}, which is not its`);
  }
  return faults;
}
