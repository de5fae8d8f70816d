import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { BatchOutcome } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type Batch, BatchSchema, BatchState } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { type BatchRecord, runsOf } from "./batch-record.js";
import type { Environment } from "./environment.js";
import { batchIdOf, runIdOf } from "./run-id.js";
import type { CreatedRuns } from "./run-record.js";
import { shownKeyOf } from "./view.js";

/** A batch as the API shows it. */
export function batchMessageOf(batch: BatchRecord): Batch {
  const { environment, number, createMs, updateMs, succeeded, failed, errors, idempotency } = batch;
  return create(BatchSchema, {
    id: batchIdOf(environment, number),
    state: batchStateOf(batch),
    idempotencyKey: shownKeyOf(idempotency),
    createTime: timestampFromMs(createMs),
    updateTime: timestampFromMs(updateMs),
    runIds: runsOf(batch).map((run) => runIdOf(environment, run)),
    successfulRunCount: succeeded,
    failedRunCount: failed,
    errors: [...errors],
  });
}

/** What became of the part of a batch that a request brought; undefined if it brought none. */
export function batchOutcomeOf(environment: Environment, { batch }: CreatedRuns): BatchOutcome | undefined {
  return batch && { $typeName: "runlane.v1.BatchOutcome", batchId: batchIdOf(environment, batch.number), runCount: batch.size, cached: batch.cached };
}

function batchStateOf({ state, endMs, errors }: BatchRecord): BatchState {
  if (state === "aborted") return BatchState.ABORTED;
  if (state === "open") return BatchState.PENDING;
  if (endMs === 0) return BatchState.PROCESSING;
  return errors.length > 0 ? BatchState.PARTIAL_FAILED : BatchState.COMPLETED;
}
