import type { Refusal, RefusedItem } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { SnapshotCreated } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import type { CreatedRuns, RefusalData } from "../engine/run-record.js";

/** What runs were created together, as a snapshot says it. */
export function createdFacts({ first, count, refused, found, batch }: CreatedRuns): SnapshotCreated {
  return {
    $typeName: "runlane.internal.v1.SnapshotCreated",
    first: BigInt(first),
    count,
    refused: refused.map(({ index, refusal }): RefusedItem => ({ $typeName: "runlane.internal.v1.RefusedItem", index, refusal: refusalFacts(refusal) })),
    found: found.map(({ index, run, byKey }) => ({ $typeName: "runlane.internal.v1.SnapshotFound", index, run: BigInt(run), byKey })),
    ...(batch && { batch: { $typeName: "runlane.internal.v1.SnapshotPart", batch: BigInt(batch.number), size: batch.size, cached: batch.cached } }),
  };
}

/** What runs a snapshot says were created together. */
export function createdOf({ first, count, refused, found, batch }: SnapshotCreated): CreatedRuns {
  return {
    first: Number(first),
    count,
    refused: refused.map(({ index, refusal }) => ({ index, refusal: refusalOf(refusal) })),
    found: found.map(({ index, run, byKey }) => ({ index, run: Number(run), byKey })),
    batch: batch && { number: Number(batch.batch), size: batch.size, cached: batch.cached },
  };
}

/** A refusal as a snapshot says it. */
export function refusalFacts({ reason, message }: RefusalData): Refusal {
  return { $typeName: "runlane.internal.v1.Refusal", reason, message };
}

/** The refusal that a snapshot says. */
export function refusalOf(refusal: Refusal | undefined): RefusalData {
  return { reason: refusal?.reason ?? "", message: refusal?.message ?? "" };
}
