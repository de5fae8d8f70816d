import type { TaskConcurrency, TaskDeclaration } from "#gen/runlane/v1/worker_service_pb.js";
import type { DeclaredConcurrency } from "../queues/concurrency-limit.js";
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
    ttlSeconds: task.ttl,
    restartOnWorkerLoss: task.restartOnWorkerLoss ?? false,
    ...(task.concurrency ? { concurrency: concurrencyOf(task.concurrency) } : {}),
  };
}

function concurrencyOf({ perKey, total, limits }: DeclaredConcurrency): TaskConcurrency {
  return { $typeName: "runlane.v1.TaskConcurrency", perKey, total, limits: [...limits] };
}
