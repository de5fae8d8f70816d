import type { TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { errorOfStatus } from "../client/grpc-error.js";
import { apiErrorOf } from "../errors/api-error.js";

/** Why an item has no run; undefined if it has one. */
export function outcomeError(outcome: TriggerOutcome | undefined): unknown {
  const became = outcome?.outcome;
  if (became?.case === "runId") return undefined;
  return apiErrorOf(became?.case === "error" ? errorOfStatus(became.value) : new Error("the server did not say what became of the trigger"));
}
