import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Violation } from "@runlane/platform";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RunFilter } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { limits } from "./limits.js";
import { looksLikeRunId } from "./validation.js";

/** Why a filter cannot be used, or undefined if it can. Names that nothing has are no fault. */
export function filterFaults(filter: RunFilter, field: string): Violation[] {
  const violations: Violation[] = [];
  const add = (name: string, description: string) => void violations.push({ field: `${field}.${name}`, description });
  for (const [name, values] of [
    ["states", filter.states],
    ["task_ids", filter.taskIds],
    ["versions", filter.versions],
    ["queues", filter.queues],
    ["tags", filter.tags],
    ["run_ids", filter.runIds],
    ["batch_ids", filter.batchIds],
  ] as const) {
    if (values.length > limits.filterValues) add(name, `must have at most ${limits.filterValues} entries, has ${values.length}`);
    if (values.some((value) => typeof value === "string" && value.length > limits.filterText))
      add(name, `must have entries of at most ${limits.filterText} characters`);
  }
  if (filter.states.some((state) => RunState[state] === undefined || state === RunState.UNSPECIFIED)) add("states", "must be states of runs");
  for (const [name, runId] of [
    ["parent_run_id", filter.parentRunId],
    ["root_run_id", filter.rootRunId],
  ] as const) {
    if (runId !== "" && !looksLikeRunId(runId)) add(name, "must be the id of a run");
  }
  const [from, to] = [msOf(filter.createTimeFrom), msOf(filter.createTimeTo)];
  if (from !== undefined && to !== undefined && from > to) add("create_time_from", "must not be later than create_time_to");
  return violations;
}

function msOf(time: Timestamp | undefined): number | undefined {
  return time && timestampMs(time);
}
