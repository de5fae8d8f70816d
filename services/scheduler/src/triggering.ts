import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { errorOf, statusOf } from "@runlane/platform";
import type { TriggerRunsRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type BatchOutcome, type TriggerOutcome, TriggerOutcomeSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { logPosition } from "./log-position.js";
import type { OwnerCallLimits, OwnerClient } from "./owner-client.js";
import { type CheckedItems, checkItems, type TriggerRequest } from "./validation.js";

/** Who triggers, and who hears of the results. */
export interface TriggerSource {
  readonly environment: string;
  /** Address of the SubscriberService that hears of the results; needed only with `awaitResults`. */
  readonly subscriber?: string;
  /** The run that the one item repeats. */
  readonly replayOf?: string;
}

/** What a trigger came to. */
export interface Triggered {
  /** One for each item, in their order. */
  readonly outcomes: TriggerOutcome[];
  /** Where the log holds the runs; empty if there are none. */
  readonly logPosition: string;
  /** What became of the batch that the items are a part of. */
  readonly batch?: BatchOutcome;
}

/**
 * Triggers the items of a request that passed {@link frameFault}: those that may be triggered go to the owner, the others are refused here. What is refused
 * depends on the items alone, so a repeated request reaches the owner as the same one. Items of a batch all go to the owner, which makes failed runs of those that may not be triggered.
 *
 * @throws ConnectError if the owner refused the whole request, or could not be reached
 */
export async function trigger(owner: OwnerClient, source: TriggerSource, request: TriggerRequest, callLimits?: OwnerCallLimits): Promise<Triggered> {
  const { batch } = request;
  const checked = batch ? { valid: request.items, faults: undefined } : checkItems(request.items);
  if (checked.valid.length === 0) return { outcomes: withFaults(request.items.length, [], checked), logPosition: "" };
  const forOwner: TriggerRunsRequest = {
    $typeName: "runlane.internal.v1.TriggerRunsRequest",
    environment: source.environment,
    // The call may be repeated when the owner changes, so it needs a name even if its caller gave it none.
    requestId: request.requestId || randomUUID(),
    items: checked.valid,
    awaitResults: forwardedIndexes(request.awaitResults ?? [], request.items.length, checked),
    subscriber: source.subscriber ?? "",
    replayOfRunId: source.replayOf ?? "",
    ...(batch ? { batch } : {}),
  };
  const answer = await owner.call((service, options) => service.triggerRuns(forOwner, options), callLimits);
  const triggered: Triggered = { outcomes: withFaults(request.items.length, answer.outcomes, checked), logPosition: logPosition(answer.logSequence) };
  return answer.batch ? { ...triggered, batch: answer.batch } : triggered;
}

/** The run that an item became. @throws ConnectError what the item was refused for */
export function runIdOf(answer: TriggerOutcome | undefined): string {
  const outcome = answer?.outcome;
  if (outcome?.case === "runId") return outcome.value;
  if (outcome?.case === "error") throw errorOf(outcome.value);
  throw new Error("the owner answered a trigger without an outcome");
}

/** Indexes among all items, as indexes among the valid ones; those of refused items are left out. */
function forwardedIndexes(indexes: number[], count: number, { faults }: CheckedItems): number[] {
  if (faults === undefined || indexes.length === 0) return indexes;
  const forwarded: (number | undefined)[] = [];
  for (let index = 0, next = 0; index < count; index++) forwarded.push(faults.has(index) ? undefined : next++);
  return indexes.map((index) => forwarded[index]).filter((index) => index !== undefined);
}

function withFaults(count: number, outcomes: TriggerOutcome[], { faults }: CheckedItems): TriggerOutcome[] {
  if (faults === undefined) return outcomes;
  const merged: TriggerOutcome[] = [];
  for (let index = 0, next = 0; index < count; index++) {
    const fault = faults.get(index);
    merged.push(fault ? refused(fault) : outcomes[next++]!);
  }
  return merged;
}

function refused(fault: ConnectError): TriggerOutcome {
  return create(TriggerOutcomeSchema, { outcome: { case: "error", value: statusOf(fault) } });
}
