import type { CommandOutcome } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { forEachOutcome } from "./decide-trigger.js";
import type { Environment } from "./environment.js";
import { runIdOf } from "./run-id.js";
import type { CommandAnswer } from "./run-record.js";
import type { Step } from "./step.js";
import { batchOutcomeOf } from "./view-batch.js";

/** An answer to a command, in the protocol's words. */
export function outcomesOf(step: Step, environment: Environment, given: CommandAnswer): Pick<CommandOutcome, "outcomes" | "batch" | "error"> {
  if (given.kind === "refused") return { outcomes: [], error: step.statusOf(given.refusal) };
  const outcomes: CommandOutcome["outcomes"] = [];
  if (given.kind !== "created") return { outcomes };
  forEachOutcome(given.created, (_, outcome, cached) => {
    outcomes.push({
      $typeName: "runlane.v1.TriggerOutcome",
      outcome: typeof outcome === "number" ? { case: "runId", value: runIdOf(environment, outcome) } : { case: "error", value: step.statusOf(outcome) },
      cached,
    });
  });
  const batch = batchOutcomeOf(environment, given.created);
  return batch ? { outcomes, batch } : { outcomes };
}
