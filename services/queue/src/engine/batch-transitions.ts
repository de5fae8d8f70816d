import type { BatchClosed, BatchCreated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { addRun, type BatchRecord } from "./batch-record.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { phases } from "./phase.js";
import { createExtras, type RunRecord } from "./run-record.js";

/** Makes a batch. */
export function createBatch(durable: Durable, environment: Environment, event: BatchCreated): void {
  const number = Number(event.number);
  const batch: BatchRecord = {
    number,
    environment,
    createMs: durable.now,
    updateMs: durable.now,
    idempotency: event.idempotency,
    parent: Number(event.parent),
    size: 0,
    spans: [],
    found: [],
    errors: [],
    state: "open",
    pending: 0,
    succeeded: 0,
    failed: 0,
    endMs: 0,
  };
  durable.batches.byNumber.set(number, batch);
  durable.batches.open.push(batch);
  durable.batches.next = number + 1;
  if (!event.idempotency) return;
  const { key, expireMs } = event.idempotency;
  environment.keys.add({ taskId: "", key, number, expireMs: Number(expireMs), end: undefined }, durable.now);
}

/** Takes no more items. */
export function closeBatch(durable: Durable, batch: BatchRecord, { aborted }: BatchClosed): void {
  batch.state = aborted ? "aborted" : "sealed";
  batch.updateMs = durable.now;
  // Whoever tries again after that wants a batch that is whole.
  if (aborted) releaseKey(batch);
  settleBatch(durable, batch);
}

/** Forgets a batch. */
export function forgetBatch(durable: Durable, batch: BatchRecord): void {
  durable.batches.byNumber.delete(batch.number);
  releaseKey(batch);
}

/** Adds an item that made a run. */
export function addCreated(batch: BatchRecord, number: number, failed: boolean): void {
  if (failed) batch.failed += 1;
  else batch.pending += 1;
  addRun(batch, number);
}

/** Adds an item that a key found a run for. `completed` says how that ended if memory has forgotten it. */
export function addFound(durable: Durable, batch: BatchRecord, number: number, completed: boolean): void {
  const run = durable.runs.get(number);
  if (run && !phases[run.phase].final) {
    batch.pending += 1;
    run.extras ??= createExtras();
    run.extras.foundIn ??= [];
    run.extras.foundIn.push(batch.number);
  } else if (run ? run.phase === "completed" : completed) {
    batch.succeeded += 1;
  } else {
    batch.failed += 1;
  }
  addRun(batch, number);
}

/** A run of a batch has ended. */
export function countEnd(durable: Durable, { phase }: RunRecord, number: number): void {
  const batch = durable.batches.byNumber.get(number);
  if (!batch) return;
  batch.pending -= 1;
  if (phase === "completed") batch.succeeded += 1;
  else batch.failed += 1;
  batch.updateMs = durable.now;
  settleBatch(durable, batch);
}

/** The batch has ended if it takes no more items and all its runs are final. */
export function settleBatch(durable: Durable, batch: BatchRecord): void {
  if (batch.state === "open" || batch.pending > 0 || batch.endMs > 0) return;
  batch.endMs = durable.now;
  durable.batches.ended.push(batch);
}

function releaseKey({ environment, idempotency, number }: BatchRecord): void {
  if (idempotency) environment.keys.release({ taskId: "", key: idempotency.key, number });
}
