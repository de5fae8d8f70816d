import type { BatchPart } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type BatchRecord, batchRetentionMs, batchSizeCap, runAt, sealTimeoutMs } from "./batch-record.js";
import { createRunsOf, type TriggerRequest } from "./decide-trigger.js";
import { type Durable, requestKey } from "./durable.js";
import { batchClosed, batchCreated, batchForgotten } from "./events.js";
import { keysFull } from "./idempotency-keys.js";
import { batchIdOf, batchNumberOf } from "./run-id.js";
import type { CommandAnswer, CreatedRuns, RefusalData } from "./run-record.js";
import { idempotencySettingOf } from "./run-settings.js";
import { emit, type Step } from "./step.js";

/** Adds a part to a batch, or creates one of it. Refused as a whole or not at all: an item that cannot be triggered is a run that has failed. */
export function decideBatchPart(step: Step, request: TriggerRequest, part: BatchPart): CommandAnswer {
  const { environment, requestId, items } = request;
  const { durable } = step;
  const before = requestId ? durable.requests.get(requestKey(environment.name, requestId)) : undefined;
  if (before) return { kind: "created", created: before };
  const held = part.batchId === "" && part.idempotencyKey ? environment.keys.find("", part.idempotencyKey.key, step.now) : undefined;
  if (held) {
    const size = durable.batches.byNumber.get(held.number)?.size ?? 0;
    return { kind: "created", created: { ...nothing, batch: { number: held.number, size, cached: true } } };
  }
  const existing = part.batchId === "" ? undefined : durable.batches.byNumber.get(batchNumberOf(environment, part.batchId) ?? 0);
  const fault =
    partFault(request, part, existing?.environment === environment ? existing : undefined) ?? (existing ? undefined : keyFault(step, request, part));
  if (fault) return { kind: "refused", refusal: fault };
  const batch = existing ?? createBatch(step, request, part);
  const known = Array.from({ length: Math.min(items.length, batch.size - part.firstIndex) }, (_, i) => runAt(batch, part.firstIndex + i));
  const created = createRunsOf(step, request, { number: batch.number, firstIndex: part.firstIndex, known });
  if (part.seal && batch.state === "open") emit(step, batchClosed(batch, false));
  return { kind: "created", created };
}

const nothing: Omit<CreatedRuns, "batch"> = { first: 0, count: 0, refused: [], found: [] };

function createBatch(step: Step, { environment, parent }: TriggerRequest, { idempotencyKey }: BatchPart): BatchRecord {
  const { batches } = step.durable;
  const number = batches.next;
  emit(step, batchCreated(environment.name, number, idempotencyKey && idempotencySettingOf(idempotencyKey, step.now), parent?.run.number ?? 0));
  return batches.byNumber.get(number) as BatchRecord;
}

/** Why a part cannot be taken; undefined if it can. What the batch has already may come again, also when it takes no more. */
function partFault({ items }: TriggerRequest, { batchId, firstIndex }: BatchPart, batch: BatchRecord | undefined): RefusalData | undefined {
  if (batchId !== "" && !batch) {
    return { reason: "BATCH_NOT_FOUND", message: `there is no batch ${batchId.slice(0, 64)}, or it ended more than seven days ago` };
  }
  const size = batch?.size ?? 0;
  const end = firstIndex + items.length;
  if (firstIndex > size) {
    return { reason: "INVALID_FIELD", message: `batch.first_index must not leave a gap: the batch has ${size} items, and this part begins at ${firstIndex}` };
  }
  if (end > batchSizeCap) return { reason: "BATCH_TOO_LARGE", message: `a batch has at most ${batchSizeCap} items, with this part it would have ${end}` };
  if (end > size && batch && batch.state !== "open") {
    const why = batch.state === "sealed" ? "it is sealed" : "it was not sealed within 30 minutes, and is aborted";
    return { reason: "BATCH_SEALED", message: `batch ${batchIdOf(batch.environment, batch.number)} takes no more items: ${why}` };
  }
  return undefined;
}

function keyFault(step: Step, { environment }: TriggerRequest, { idempotencyKey }: BatchPart): RefusalData | undefined {
  if (!idempotencyKey || environment.keys.hasRoom(0, step.now)) return undefined;
  return keysFull;
}

/** Aborts what was not sealed in time, and forgets what ended long ago. */
export function decideBatchesDue(step: Step): void {
  const { batches } = step.durable;
  for (let batch = nextToAbort(step.durable); batch && batch.createMs + sealTimeoutMs <= step.now; batch = nextToAbort(step.durable)) {
    emit(step, batchClosed(batch, true));
  }
  for (let batch = batches.ended.peek(); batch && batch.endMs + batchRetentionMs <= step.now; batch = batches.ended.peek()) {
    batches.ended.shift();
    // After a replay those that were forgotten before stand here again.
    if (batches.byNumber.get(batch.number) === batch) emit(step, batchForgotten(batch));
  }
}

/** When the next batch is due for that, in milliseconds of the Unix epoch; undefined if none is. */
export function batchesDue(durable: Durable): number | undefined {
  const open = nextToAbort(durable);
  const ended = durable.batches.ended.peek();
  const abort = open ? open.createMs + sealTimeoutMs : Number.POSITIVE_INFINITY;
  const forget = ended ? ended.endMs + batchRetentionMs : Number.POSITIVE_INFINITY;
  const due = Math.min(abort, forget);
  return due === Number.POSITIVE_INFINITY ? undefined : due;
}

function nextToAbort({ batches: { open } }: Durable): BatchRecord | undefined {
  for (let batch = open.peek(); batch; batch = open.peek()) {
    if (batch.state === "open") return batch;
    open.shift();
  }
  return undefined;
}
