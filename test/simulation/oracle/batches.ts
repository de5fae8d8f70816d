import type { BatchClosed, BatchCreated, BatchForgotten } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type BatchPart, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type Batch, BatchState } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { type BatchModel, retentionMs, sealMs } from "./batch-model.js";
import type { Following } from "./follow.js";
import { numberOfId } from "./id.js";
import type { Model } from "./model.js";
import { spanOf } from "./triggers.js";
import { promise } from "./violation.js";

/** A part that names none makes a batch. */
export function createBatch(following: Following, event: BatchCreated): void {
  const { model, seen } = following;
  const number = Number(event.number);
  promise(number === model.nextBatch, () => `the next batch is ${number}, not ${model.nextBatch}`);
  model.nextBatch += 1;
  const key = event.idempotency?.key ?? "";
  const asked = partsOf(following).find(({ batchId, idempotencyKey }) => batchId === "" && (idempotencyKey?.key ?? "") === key);
  promise(asked !== undefined, () => `batch ${number} is created, and nobody asked for it`);
  const other = key === "" ? undefined : model.keys.batchOf(key, seen.now);
  promise(other === undefined, () => `batch ${number} is created with key ${key}, which batch ${other?.number} has`);
  const batch: BatchModel = { number, createMs: seen.now, key, items: [], state: "open", closeMs: 0 };
  model.batches.set(number, batch);
  if (!event.idempotency) return;
  const expireMs = seen.now + spanOf(asked.idempotencyKey?.ttl);
  promise(Number(event.idempotency.expireMs) === expireMs, () => `key ${key} of batch ${number} ends at ${event.idempotency?.expireMs}, not at ${expireMs}`);
  model.keys.holdBatch(batch, expireMs);
}

/** A batch takes no more items: its last part says so, or it had its time. */
export function closeBatch(following: Following, { number, aborted }: BatchClosed): void {
  const { model, seen } = following;
  const batch = batchOf(model, number);
  promise(batch.state === "open", () => `batch ${number} is ${batch.state}, and is closed again`);
  if (aborted) promise(seen.now >= batch.createMs + sealMs, () => `batch ${number} is aborted ${batch.createMs + sealMs - seen.now} ms too early`);
  else
    promise(
      partsOf(following).some(({ seal }) => seal),
      () => `batch ${number} is sealed, and nobody asked for it`,
    );
  batch.state = aborted ? "aborted" : "sealed";
  batch.closeMs = seen.now;
}

/** A batch ended long ago. */
export function forgetBatch({ model, seen }: Following, { number }: BatchForgotten): void {
  const batch = batchOf(model, number);
  const end = model.endOf(batch) ?? Number.POSITIVE_INFINITY;
  promise(seen.now >= end + retentionMs, () => `batch ${number} is forgotten ${seen.now - end} ms after its end`);
  model.batches.delete(batch.number);
  model.keys.forgetBatch(batch);
}

/** Checks a batch as somebody sees it: it has every item that was sent, and counts how each ended. */
export function checkBatch(model: Model, { id, state, runIds, successfulRunCount, failedRunCount, errors }: Batch): void {
  const batch = batchOf(model, BigInt(numberOfId(id)));
  const runs = batch.items.map(({ run }) => model.run(run));
  const untriggered = batch.items.flatMap((item, index) => (item.untriggered ? [index] : []));
  const succeeded = runs.filter((run) => run.final === RunState.COMPLETED).length;
  const failed = runs.filter((run) => run.final !== undefined).length - succeeded;
  const ended = untriggered.length > 0 ? BatchState.PARTIAL_FAILED : BatchState.COMPLETED;
  const closed = batch.state === "aborted" ? BatchState.ABORTED : model.endOf(batch) === undefined ? BatchState.PROCESSING : ended;
  const seen = [runIds.map(numberOfId).join(), state, successfulRunCount, failedRunCount, errors.map(({ index }) => index).join()].join("/");
  const known = [runs.map((run) => run.number).join(), batch.state === "open" ? BatchState.PENDING : closed, succeeded, failed, untriggered.join()].join("/");
  promise(seen === known, () => `batch ${batch.number} shows ${seen}, not ${known} (runs, state, succeeded, failed, not triggered)`);
}

/** The parts of batches in what is being answered. */
function partsOf({ seen, grounds }: Following): BatchPart[] {
  if (seen.cause.kind === "batch") return [seen.cause.part];
  const commands = [...grounds.commands.values()].flat();
  return commands.flatMap(({ command }) =>
    (command.case === "trigger" || command.case === "triggerAndWait") && command.value.batch ? [command.value.batch] : [],
  );
}

function batchOf(model: Model, number: bigint): BatchModel {
  const batch = model.batches.get(Number(number));
  promise(batch !== undefined, () => `an event speaks of batch ${number}, which is not known`);
  return batch;
}
