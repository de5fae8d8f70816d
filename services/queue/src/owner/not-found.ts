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
