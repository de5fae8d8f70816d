import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RunFilter } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";

/** Whether a run fulfils a filter, as a server's history takes it. */
export function fulfils(run: Run, filter: RunFilter | undefined): boolean {
  if (filter === undefined) return true;
  return (
    among(filter.states, run.state) &&
    among(filter.taskIds, run.taskId) &&
    among(filter.versions, run.version) &&
    among(filter.queues, run.queue) &&
    among(filter.runIds, run.id) &&
    among(filter.batchIds, run.batchId) &&
    (filter.tags.length === 0 || filter.tags.some((tag) => run.tags.includes(tag))) &&
    (filter.parentRunId === "" || filter.parentRunId === run.parentRunId) &&
    (filter.rootRunId === "" || filter.rootRunId === run.rootRunId) &&
    (filter.test === undefined || filter.test === run.test) &&
    msOf(run.createTime, 0) >= msOf(filter.createTimeFrom, 0) &&
    msOf(run.createTime, 0) <= msOf(filter.createTimeTo, Number.MAX_SAFE_INTEGER)
  );
}

function among<T>(allowed: readonly T[], value: T): boolean {
  return allowed.length === 0 || allowed.includes(value);
}

function msOf(time: Timestamp | undefined, otherwise: number): number {
  return time === undefined ? otherwise : timestampMs(time);
}
