import type { Batches, BatchRecord } from "./batch-record.js";
import type { Durable } from "./durable.js";
import { type Phase, phases } from "./phase.js";
import { readyListOf } from "./queue-record.js";

/** Phases that end when their time has come. */
const timed: ReadonlySet<Phase> = new Set(["deferred", "delayed", "backoff"]);

/**
 * Makes the indexes of the state anew from its facts: who is next in which queue, what is due, where there is something to place. A snapshot holds facts alone, so whoever restores one calls
 * this. After a replay it makes the indexes the same whether the log was replayed from its beginning or from a snapshot, and drops what they hold of runs that have ended long ago.
 *
 * Costs a step for each run in memory; once for each owner.
 */
export function reindex(durable: Durable): void {
  durable.eligible.clear();
  durable.due.clear();
  for (const environment of durable.environments.values()) {
    for (const queue of environment.queues.values()) {
      queue.ready.clear();
      queue.resumes.clear();
    }
  }
  // Runs come in the order of their numbers: to push the greatest onto a heap costs one comparison.
  for (const run of durable.runs.values()) {
    const { phase, queue } = run;
    if (phases[phase].ready) readyListOf(queue, run)[phase === "rearmed" ? "rearmed" : "queued"].push(run);
    else if (phase === "resumable") queue.resumes.push(run);
    else if (timed.has(phase)) durable.due.push({ atMs: phase === "deferred" ? run.queueMs : run.retryAtMs, run, attempt: run.attempt });
    if (phase === "queued" && run.startMs === 0 && run.extras?.expireMs) durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0 });
  }
  for (const environment of durable.environments.values()) {
    for (const queue of environment.queues.values()) if (queue.ready.size > 0 || queue.resumes.size > 0) durable.eligible.add(queue);
  }
  indexUnreferenced(durable);
  indexBatches(durable.batches);
}

function indexBatches({ byNumber, open, ended }: Batches): void {
  open.clear();
  ended.clear();
  const byEnd: BatchRecord[] = [];
  for (const batch of byNumber.values()) {
    if (batch.state === "open") open.push(batch);
    else if (batch.endMs > 0) byEnd.push(batch);
  }
  byEnd.sort((a, b) => a.endMs - b.endMs);
  for (const batch of byEnd) ended.push(batch);
}

function indexUnreferenced(durable: Durable): void {
  const unreferenced = [...durable.environments.values()].flatMap((environment) =>
    [...environment.payloads.values()].filter(({ refs }) => refs === 0).map((payload) => ({ environment, payload, sinceMs: payload.freeMs })),
  );
  unreferenced.sort((a, b) => a.sinceMs - b.sinceMs);
  durable.unreferenced.clear();
  for (const entry of unreferenced) durable.unreferenced.push(entry);
}
