import { create } from "@bufbuild/protobuf";
import { type Failure, FailureKind, FailureSchema, type Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { referenceFault } from "./decide-payload.js";
import type { RunRecord } from "./run-record.js";

/** Most bytes of an output that travels with its result, or of a thrown value. */
const maxOutputBytes = 128 * 1024;

const maxMessageLength = 1_000;
/** 50 frames of 1,024 characters would be the worker's own limit; the owner is content with less. */
const maxStackLength = 16 * 1024;
const maxCauses = 8;

/** Why an output cannot be taken; undefined if it can. */
export function outputFault({ environment }: Pick<RunRecord, "environment">, output: Payload): string | undefined {
  const bytes = output.data.length;
  if (output.reference) {
    if (bytes > 0) return "the output has bytes and a reference, and may have only one of them";
    return referenceFault(environment, output)?.message;
  }
  return bytes > maxOutputBytes ? `the output has ${bytes} bytes; the limit is ${maxOutputBytes}: larger ones travel by reference` : undefined;
}

/** The failure of an attempt whose output cannot be taken. */
export function outputError(message: string): Failure {
  return create(FailureSchema, { kind: FailureKind.INTERNAL, name: "Error", code: "TASK_OUTPUT_ERROR", message });
}

/** Keeps a failure to the limits that the contract names, whatever the worker sent. */
export function boundFailure(failure: Failure | undefined, depth = 0): Failure | undefined {
  if (!failure) return undefined;
  if (failure.message.length > maxMessageLength) failure.message = failure.message.slice(0, maxMessageLength);
  if (failure.stackTrace.length > maxStackLength) failure.stackTrace = failure.stackTrace.slice(0, maxStackLength);
  if (failure.raw && failure.raw.data.length > maxOutputBytes) failure.raw = undefined;
  failure.cause = depth < maxCauses ? boundFailure(failure.cause, depth + 1) : undefined;
  return failure;
}
