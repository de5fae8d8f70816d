import { defaultRetryOptions } from "../task/retry-options.js";
import type { ManifestTask, WorkerManifest } from "./manifest.js";
import type { IndexedTask } from "./task-index.js";

/** What the config says for tasks that do not. */
export type TaskDefaults = Pick<ManifestTask, "machine" | "maxDuration" | "ttl"> & Pick<WorkerManifest, "defaultRetry" | "retriesEnabled">;

/** A declared task as a manifest has it: with what the config says for tasks that do not say it. */
export function manifestTask(task: IndexedTask, defaults: TaskDefaults): ManifestTask {
  const { defaultRetry, retriesEnabled } = defaults;
  const { id, description, filePath, payloadSchema, queue, concurrencyLimit, concurrency } = task;
  const outOfMemoryRetry = task.hasRetry ? task.outOfMemoryRetry : defaultRetry?.outOfMemory && defaultRetry;
  return {
    id,
    description,
    filePath,
    payloadSchema,
    queue,
    concurrencyLimit,
    maxAttempts: (task.hasRetry ? task.maxAttempts : defaultRetry?.maxAttempts) ?? defaultRetryOptions.maxAttempts,
    machine: task.machine ?? defaults.machine,
    maxDuration: task.maxDuration ?? defaults.maxDuration,
    concurrency,
    ttl: task.ttl ?? defaults.ttl,
    restartOnWorkerLoss: task.restartOnWorkerLoss,
    outOfMemoryRetry: retriesEnabled === false ? undefined : outOfMemoryRetry,
  };
}
