import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { Environment } from "./environment.js";
import { payloadDropped, payloadStored } from "./events.js";
import { unreferencedRetentionMs } from "./payload-record.js";
import type { RefusalData } from "./run-record.js";
import { emit, type Step } from "./step.js";

/** Records a payload whose bytes are in the store. A repeat changes nothing. */
export function decideRecordPayload(step: Step, environment: Environment, reference: string, sizeBytes: bigint): void {
  if (!environment.payloads.has(reference)) emit(step, payloadStored(environment.name, reference, sizeBytes));
}

/** Why a run may not have this payload, or output, as far as it is kept apart; undefined if it may. */
export function referenceFault(environment: Environment, payload: Payload | undefined): RefusalData | undefined {
  const reference = payload?.reference;
  if (!reference || environment.payloads.has(reference)) return undefined;
  return {
    reason: "PAYLOAD_NOT_FOUND",
    message: `there is no payload ${reference.slice(0, 64)}: it was never stored, or is deleted because nothing referred to it for an hour`,
  };
}

/** Drops the payloads to which nothing has referred for an hour. */
export function dropUnreferenced(step: Step): void {
  const { unreferenced } = step.durable;
  for (let oldest = unreferenced.peek(); oldest && oldest.sinceMs + unreferencedRetentionMs <= step.now; oldest = unreferenced.peek()) {
    unreferenced.shift();
    const { environment, payload, sinceMs } = oldest;
    // It may have been referred to since then. After a replay those that were dropped before stand here again.
    if (payload.refs === 0 && payload.freeMs === sinceMs && environment.payloads.get(payload.reference) === payload)
      emit(step, payloadDropped(environment.name, payload.reference));
  }
}
