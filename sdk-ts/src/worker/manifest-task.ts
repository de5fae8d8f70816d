import { defaultRetryOptions } from "../task/retry-options.js";
import type { ManifestTask } from "./manifest.js";
import type { IndexedTask } from "./task-index.js";

/** A declared task as a manifest has it: with what the config says for tasks that do not say it. `configAttempts` is the config's `retries.default.maxAttempts`. */
export function manifestTask(task: IndexedTask, configAttempts: number | undefined): ManifestTask {
  const maxAttempts = (task.hasRetry ? task.maxAttempts : configAttempts) ?? defaultRetryOptions.maxAttempts;
  const { id, description, filePath, payloadSchema, queue, concurrencyLimit, machine } = task;
  return { id, description, filePath, payloadSchema, queue, concurrencyLimit, maxAttempts, machine };
}
