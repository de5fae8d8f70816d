import { SnapshotPhase } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import type { Phase } from "../engine/phase.js";

/** What snapshots call the phases. */
export const phaseNumbers: Readonly<Record<Phase, SnapshotPhase>> = {
  deferred: SnapshotPhase.DEFERRED,
  queued: SnapshotPhase.QUEUED,
  delayed: SnapshotPhase.DELAYED,
  backoff: SnapshotPhase.BACKOFF,
  rearmed: SnapshotPhase.REARMED,
  assigned: SnapshotPhase.ASSIGNED,
  executing: SnapshotPhase.EXECUTING,
  waiting: SnapshotPhase.WAITING,
  resumable: SnapshotPhase.RESUMABLE,
  parked: SnapshotPhase.PARKED,
  revived: SnapshotPhase.REVIVED,
  canceling: SnapshotPhase.CANCELING,
  cancelingIdle: SnapshotPhase.CANCELING_IDLE,
  completed: SnapshotPhase.COMPLETED,
  failed: SnapshotPhase.FAILED,
  expired: SnapshotPhase.EXPIRED,
  canceled: SnapshotPhase.CANCELED,
};

/** The phases by what snapshots call them. */
export const phasesByNumber: ReadonlyMap<SnapshotPhase, Phase> = new Map(Object.entries(phaseNumbers).map(([phase, number]) => [number, phase as Phase]));
