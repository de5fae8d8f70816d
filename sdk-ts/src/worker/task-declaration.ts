import type { TaskDeclaration } from "#gen/runlane/v1/worker_service_pb.js";
import type { ManifestTask } from "./manifest.js";

/** A task of a build, as its worker declares it. */
export function taskDeclaration(task: ManifestTask): TaskDeclaration {
  return {
    $typeName: "runlane.v1.TaskDeclaration",
    id: task.id,
    description: (task.description ?? "").slice(0, 1_000),
    filePath: task.filePath,
    queue: task.queue ?? "",
    concurrencyLimit: task.concurrencyLimit,
    maxAttempts: task.maxAttempts,
    machine: task.machine ?? "",
    maxDurationSeconds: task.maxDuration ?? 0,
    payloadSchema: task.payloadSchema ?? "",
  };
}
