import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Failure, FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { type RetryOptions, retryDelay } from "../task/retry-options.js";
import { FieldCursor } from "../wire/field-cursor.js";
import type { InternalCode } from "./failure.js";

/** Message of an OutOfMemoryError. */
const manualOutOfMemory = "MANUAL_OOM_KILL_ERROR";

/** What decides on another attempt. */
export interface AttemptTerms {
  /** Counts from 1. */
  readonly attemptNumber: number;
  readonly maxAttempts: number;
}

/** Reads them from an encoded Assignment. */
export function readAttemptTerms(assignment: Uint8Array): AttemptTerms & { readonly taskId: string } {
  let taskId = "";
  let attemptNumber = 0;
  let maxAttempts = 0;
  const cursor = new FieldCursor(assignment);
  while (cursor.next()) {
    if (cursor.field === 4) taskId = cursor.string;
    else if (cursor.field === 5) attemptNumber = cursor.number;
    else if (cursor.field === 6) maxAttempts = cursor.number;
  }
  return { taskId, attemptNumber, maxAttempts };
}

/** What an attempt whose memory ran out asks for. */
export interface LargerMachine {
  readonly retryMachine: string;
  readonly retryDelay: Duration;
}

/**
 * The attempt that follows one whose memory ran out, on the machine that `retry.outOfMemory` names; undefined if there is none: nothing is named, the run is on that machine already,
 * or its attempts are used up. As in Trigger.dev.
 */
export function afterOutOfMemory(retry: RetryOptions | undefined, machine: string | undefined, terms: AttemptTerms): LargerMachine | undefined {
  const larger = largerMachine(retry, machine);
  if (larger === undefined) return undefined;
  const delay = retryDelay({ ...retry, maxAttempts: terms.maxAttempts }, terms.attemptNumber);
  return delay === undefined ? undefined : { retryMachine: larger, retryDelay: durationFromMs(delay) };
}

/** The machine that `retry.outOfMemory` names for a run on `machine` whose memory ran out; undefined if it names none, or that one. */
export function largerMachine(retry: RetryOptions | undefined, machine: string | undefined): string | undefined {
  const named = retry?.outOfMemory?.machine;
  return named === machine ? undefined : named;
}

/** True for an error by which code itself says that memory ran out: an OutOfMemoryError, or the end of an ffmpeg that somebody killed. As in Trigger.dev. */
export function saysOutOfMemory({ name, message }: { readonly name: string; readonly message: string }): boolean {
  return name === "OutOfMemoryError" || message === manualOutOfMemory || message.includes("ffmpeg was killed with signal SIGKILL");
}

/** What was thrown, under the code of a process whose memory ran out if that is what it says. */
export function asOutOfMemory(failure: Failure): Failure {
  if (failure.kind !== FailureKind.ERROR || !saysOutOfMemory(failure)) return failure;
  return { ...failure, kind: FailureKind.INTERNAL, code: "TASK_PROCESS_OOM_KILLED" satisfies InternalCode };
}

/** True for the failure of a process whose memory ran out, or perhaps did. */
export function isOutOfMemory({ code }: Failure): boolean {
  return code === ("TASK_PROCESS_OOM_KILLED" satisfies InternalCode) || code === ("TASK_PROCESS_MAYBE_OOM_KILLED" satisfies InternalCode);
}
