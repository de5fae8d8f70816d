import type { NewRun } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { TriggerOptions } from "@runlane/sdk";
import { machinePresets, noMaxDuration, valueOfPayload } from "@runlane/sdk/testing-seams";
import type { TaskCall } from "./run-records.js";

/** A run that a task triggered, by what the log has of its creation. */
export function taskCall(created: NewRun, runId: string, parent: { readonly id: string; readonly task: string }): TaskCall {
  const { taskId, payload } = created;
  return {
    task: taskId,
    payload: payload?.reference ? undefined : valueOfPayload(payload),
    options: optionsOf(created),
    runId,
    parent: { runId: parent.id, task: parent.task },
  };
}

function optionsOf({ queue, maxAttempts, settings }: NewRun): TriggerOptions {
  const options: TriggerOptions = {};
  if (queue) options.queue = queue;
  if (maxAttempts) options.maxAttempts = maxAttempts;
  if (settings === undefined) return options;
  const { machine, maxDurationSeconds, metadata, tags, version } = settings;
  const preset = machinePresets.find(({ name }) => name === machine)?.name;
  if (tags.length > 0) options.tags = tags;
  if (metadata) options.metadata = valueOfPayload(metadata) as Record<string, unknown>;
  if (preset) options.machine = preset;
  if (maxDurationSeconds !== undefined) options.maxDuration = maxDurationSeconds || noMaxDuration;
  if (version) options.version = version;
  return options;
}
