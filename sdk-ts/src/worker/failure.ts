import { types } from "node:util";
import { type Failure, FailureKind, type Payload } from "#gen/runlane/v1/payload_pb.js";
import { payloadOf } from "../payload.js";

const maxMessageLength = 1_000;
const maxLineLength = 1_024;
/** Of a longer stack trace, the top and the bottom stay: where it broke, and who called. As in Trigger.dev. */
const topFrames = 5;
const bottomFrames = 45;
const maxCauses = 8;
/** Stands behind what was cut. */
const cutMark = "...[truncated]";
/** Characters of a whole chain. Causes that would exceed it are left out, so that a failure always fits into a frame. */
const maxChainLength = 64 * 1_024;
/** Thrown values that are longer as JSON are sent as the beginning of their text. */
const maxRawLength = 16 * 1_024;

/** A frame that calls a task's `run` or its hooks: what lies below it is the worker's, and tells the user nothing. */
const callOfRun = /^\s+at .*[\\/]execution[\\/](task-execution|middleware-chain)\.[jt]s:/;

/** Codes of failures that are Runlane's, not the task's. The names are Trigger.dev's. */
export type InternalCode =
  /** The payload cannot be read, or is not what the schema of its task asks for. */
  | "TASK_INPUT_ERROR"
  /** What the task returned can not be JSON, or has more than 128 KiB. */
  | "TASK_OUTPUT_ERROR"
  /** A middleware threw. */
  | "TASK_MIDDLEWARE_ERROR"
  /** A `catchError` hook threw. */
  | "HANDLE_ERROR_ERROR"
  /** A `cleanup` hook threw after its attempt had succeeded. */
  | "TASK_EXECUTION_FAILED"
  /** The build declares the task, and its code does not. */
  | "COULD_NOT_FIND_TASK"
  /** A task file threw while it was loaded. */
  | "COULD_NOT_IMPORT_TASK"
  /** An error that nobody caught, outside of the promise that `run` returned. */
  | "TASK_RUN_UNCAUGHT_EXCEPTION"
  /** The process ended by itself. */
  | "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"
  /** The process ended because it needed more memory than it may have. */
  | "TASK_PROCESS_OOM_KILLED"
  /** Somebody sent the process SIGKILL; often it is the kernel, short of memory. */
  | "TASK_PROCESS_MAYBE_OOM_KILLED"
  /** The attempt was active for longer than its maxDuration. */
  | "MAX_DURATION_EXCEEDED"
  /** Somebody sent the process SIGTERM. */
  | "TASK_PROCESS_SIGTERM"
  /** The process broke down in native code. */
  | "TASK_PROCESS_SIGSEGV"
  /** The code ran again after its worker was lost, and asked for something else than its journal has. Ours. */
  | "JOURNAL_MISMATCH"
  /** Steps of one name overlapped, and had no key that tells them apart. Ours. */
  | "JOURNAL_KEY_REQUIRED"
  /** The worker lost touch with the server, and ended its attempts before others could start them again; or the event loop of its process was blocked for too long. */
  | "TASK_RUN_STALLED_EXECUTING";

/** A failure that Runlane itself decided on. `cause` is the error behind it, whose name, stack trace and causes it shows. */
export function internalFailure(code: InternalCode, message: string, cause?: unknown): Failure {
  const own = failure(FailureKind.INTERNAL, { name: code, message: cutMessage(message), code });
  return isError(cause) ? withCauses(Object.assign(own, { name: text(cause.name), stackTrace: cutStack(cause) }), cause, maxCauses, maxChainLength) : own;
}

/** The failure that a thrown value stands for: an error with its causes, or the value itself. Never throws, whatever the value's getters do. */
export function failureOf(thrown: unknown): Failure {
  return chain(thrown, maxCauses, maxChainLength);
}

/** True for errors of any realm. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** An error's message, or the text of a thrown value. */
export function messageOf(thrown: unknown): string {
  return isError(thrown) ? text(thrown.message) : text(thrown);
}

function chain(thrown: unknown, causes: number, room: number): Failure {
  if (!isError(thrown)) {
    return failure(FailureKind.VALUE, { message: cutMessage(text(thrown)), raw: rawPayload(thrown) });
  }
  const own = failure(FailureKind.ERROR, { name: text(thrown.name), message: cutMessage(text(thrown.message)), stackTrace: cutStack(thrown) });
  return withCauses(own, thrown, causes, room);
}

function withCauses(own: Failure, thrown: Error, causes: number, room: number): Failure {
  const cause = read(() => thrown.cause);
  const left = room - own.message.length - own.stackTrace.length;
  if (cause !== undefined && cause !== null && causes > 0 && left > 0) own.cause = chain(cause, causes - 1, left);
  return own;
}

function failure(kind: FailureKind, parts: Partial<Omit<Failure, "$typeName" | "kind">>): Failure {
  return { $typeName: "runlane.v1.Failure", kind, name: "", message: "", stackTrace: "", code: "", ...parts };
}

function rawPayload(value: unknown): Payload {
  const whole = read(() => payloadOf(value, "the thrown value"));
  if (whole && whole.data.length + Buffer.byteLength(JSON.stringify(whole.metadata)) <= maxRawLength) return whole;
  const data = Buffer.from(JSON.stringify(text(value).slice(0, maxRawLength)));
  return { $typeName: "runlane.v1.Payload", contentType: "application/json", data, metadata: {} };
}

function cutMessage(message: string): string {
  return cut(clean(message), maxMessageLength);
}

function cut(text: string, length: number): string {
  return text.length > length ? text.slice(0, length) + cutMark : text;
}

function cutStack(error: Error): string {
  const stack = read(() => error.stack);
  if (typeof stack !== "string" || stack.length === 0) return "";
  const lines = clean(stack).split("\n");
  // The message stands above the frames, and may have lines of its own.
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  const head = first === -1 ? lines.slice(0, 1) : lines.slice(0, first);
  const called = lines.findIndex((line) => callOfRun.test(line));
  const frames = first === -1 ? [] : lines.slice(first, called === -1 ? undefined : called);
  const left = frames.length - topFrames - bottomFrames;
  const kept = left > 0 ? [...frames.slice(0, topFrames), `    ... ${left} frames omitted ...`, ...frames.slice(-bottomFrames)] : frames;
  return [cut(head.join("\n"), maxMessageLength + maxLineLength), ...kept.map((line) => cut(line, maxLineLength))].join("\n");
}

/** NULs upset terminals and databases. */
function clean(message: string): string {
  return message.replaceAll("\0", "");
}

function text(value: unknown): string {
  return read(() => (typeof value === "object" && value !== null ? (JSON.stringify(value) ?? String(value)) : String(value))) ?? "(a value that has no text)";
}

/** What user code says of itself may throw: getters, proxies, toString. */
function read<T>(value: () => T): T | undefined {
  try {
    return value();
  } catch {
    return undefined;
  }
}
