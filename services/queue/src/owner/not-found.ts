import type { ConnectError } from "@connectrpc/connect";
import { refusal } from "@runlane/platform";

/** What a caller hears who names a run that there is not. */
export function runNotFound(runId: string): ConnectError {
  return refusal("RUN_NOT_FOUND", `there is no run ${runId}`, { metadata: { run_id: runId }, resource: { type: "run", name: runId } });
}

/** What a caller hears who names a version that there is not. */
export function versionNotFound(version: string): ConnectError {
  const name = version.slice(0, 64);
  return refusal("VERSION_NOT_FOUND", `there is no version ${name} of this environment's code`, { resource: { type: "version", name } });
}

/** What a caller hears who names a queue that nobody knows. */
export function queueNotFound(queue: string): ConnectError {
  const name = queue.slice(0, 140);
  return refusal("QUEUE_NOT_FOUND", `there is no queue ${name}: no worker has declared it`, { resource: { type: "queue", name } });
}

/** What a caller hears who names a limit that nobody has declared. */
export function limitNotFound(limit: string): ConnectError {
  const name = limit.slice(0, 140);
  return refusal("CONCURRENCY_LIMIT_NOT_FOUND", `there is no concurrency limit ${name}: no worker has declared it`, {
    resource: { type: "concurrency_limit", name },
  });
}
