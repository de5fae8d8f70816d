export { runIdOf } from "./engine/run-id.js";
export { type History, type HistoryOptions, startHistory } from "./history/history.js";
export { type Clock, systemClock } from "./owner/clock.js";
export { defaultLeaseMs, type OwnerHandle, type OwnerOptions, type OwnerState, startOwner } from "./owner/owner.js";
export { defaultSnapshotRules, type SnapshotRules } from "./snapshot/snapshot-rules.js";
export { createSnapshots, type Snapshots, type SnapshotsOptions } from "./snapshot/snapshots.js";
