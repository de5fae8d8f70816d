import { type SnapshotBatch, SnapshotBatchState, type SnapshotKey, SnapshotKeyEnd } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import type { BatchRecord } from "../engine/batch-record.js";
import type { Environment } from "../engine/environment.js";
import type { KeyRecord } from "../engine/idempotency-keys.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

const stateNumbers: Readonly<Record<BatchRecord["state"], SnapshotBatchState>> = {
  open: SnapshotBatchState.OPEN,
  sealed: SnapshotBatchState.SEALED,
  aborted: SnapshotBatchState.ABORTED,
};

/** A batch as a snapshot says it. `environment` is the index of its environment. */
export function batchFacts(batch: BatchRecord, environment: number): SnapshotBatch {
  const { number, createMs, updateMs, endMs, idempotency, parent, spans, found, errors, state, pending, succeeded, failed } = batch;
  return {
    $typeName: "runlane.internal.v1.SnapshotBatch",
    environment,
    batch: BigInt(number),
    createMs: BigInt(createMs),
    updateMs: BigInt(updateMs),
    endMs: BigInt(endMs),
    ...(idempotency && { idempotency }),
    parent: BigInt(parent),
    spans: spans.map(BigInt),
    found: [...found],
    errors: errors.map((fault) => ({ $typeName: "runlane.internal.v1.SnapshotBatchFault", ...fault })),
    state: stateNumbers[state],
    pending,
    succeeded,
    failed,
  };
}

/** The batch that a snapshot says. */
export function batchOfFacts(facts: SnapshotBatch, environment: Environment): BatchRecord {
  const { batch, createMs, updateMs, endMs, idempotency, parent, found, errors, pending, succeeded, failed } = facts;
  const spans = facts.spans.map(Number);
  const state = (Object.keys(stateNumbers) as BatchRecord["state"][]).find((each) => stateNumbers[each] === facts.state);
  if (!state) throw new SnapshotUnreadable(`batch ${batch} is in state ${facts.state}, which this version does not know`);
  return {
    number: Number(batch),
    environment,
    createMs: Number(createMs),
    updateMs: Number(updateMs),
    idempotency,
    parent: Number(parent),
    size: spans.reduce((size, count, index) => (index % 2 === 1 ? size + count : size), 0),
    spans,
    found,
    errors: errors.map(({ index, taskId, reason, message }) => ({ index, taskId, reason, message })),
    state,
    pending,
    succeeded,
    failed,
    endMs: Number(endMs),
  };
}

/** An idempotency key as a snapshot says it. `environment` is the index of its environment. */
export function keyFacts({ taskId, key, number, expireMs, end }: KeyRecord, environment: number): SnapshotKey {
  return {
    $typeName: "runlane.internal.v1.SnapshotKey",
    environment,
    taskId,
    key,
    number: BigInt(number),
    expireMs: BigInt(expireMs),
    end: end === "completed" ? SnapshotKeyEnd.COMPLETED : end === "canceled" ? SnapshotKeyEnd.CANCELED : SnapshotKeyEnd.UNSPECIFIED,
  };
}

/** The idempotency key that a snapshot says. */
export function keyOfFacts({ taskId, key, number, expireMs, end }: SnapshotKey): KeyRecord {
  return {
    taskId,
    key,
    number: Number(number),
    expireMs: Number(expireMs),
    end: end === SnapshotKeyEnd.COMPLETED ? "completed" : end === SnapshotKeyEnd.CANCELED ? "canceled" : undefined,
  };
}
