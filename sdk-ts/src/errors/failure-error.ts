import { type Failure, FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { valueOfPayload } from "../payload.js";

/**
 * What a run failed with, as near to what its code threw as JSON allows: an Error with name, message, stack and causes (its class is lost), or the thrown value itself. Of a
 * failure that is Runlane's own, `name` and `code` are the code, so that it reads "CODE: message".
 */
export function errorOfFailure(failure: Failure | undefined): unknown {
  if (failure === undefined) return new Error("the run did not say why it failed");
  if (failure.kind === FailureKind.VALUE) return thrownValue(failure);
  const error = new Error(failure.message, failure.cause && { cause: errorOfFailure(failure.cause) });
  const internal = failure.kind === FailureKind.INTERNAL;
  const name = (internal ? failure.code : failure.name) || "Error";
  // Not enumerable, as in errors that were thrown here.
  Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  const stack = failure.stackTrace && !internal ? failure.stackTrace : `${name}: ${failure.message}${framesOf(failure.stackTrace)}`;
  Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return internal ? Object.assign(error, { code: failure.code }) : error;
}

/** An error as `runs.retrieve` shows it: plain JSON, as in Trigger.dev. */
export interface SerializedError {
  /** Of a failure that is Runlane's own: "CODE: message". */
  message: string;
  name?: string;
  stackTrace?: string;
  /** What caused it, nearest first. */
  causes?: { name?: string; message: string; stackTrace?: string }[];
}

/** A failure as plain JSON. */
export function serializedError(failure: Failure): SerializedError {
  const error: SerializedError = partsOf(failure);
  const causes: SerializedError[] = [];
  for (let cause = failure.cause; cause; cause = cause.cause) causes.push(partsOf(cause));
  if (causes.length > 0) error.causes = causes;
  return error;
}

function partsOf(failure: Failure): SerializedError {
  const internal = failure.kind === FailureKind.INTERNAL;
  const error: SerializedError = { message: internal ? `${failure.code}: ${failure.message}` : failure.message };
  const name = internal ? failure.code : failure.name;
  if (name) error.name = name;
  if (failure.stackTrace) error.stackTrace = failure.stackTrace;
  return error;
}

function thrownValue(failure: Failure): unknown {
  try {
    return valueOfPayload(failure.raw);
  } catch {
    return failure.message;
  }
}

function framesOf(stackTrace: string): string {
  const first = stackTrace.search(/^\s+at /m);
  return first < 0 ? "" : `\n${stackTrace.slice(first)}`;
}
