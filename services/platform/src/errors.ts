import { randomUUID } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "#gen/google/rpc/error_details_pb.js";

/** Domain of every ErrorInfo that Runlane sends. */
export const errorDomain = "runlane.dev";

/**
 * The catalogue: every reason that a call may fail for, with its gRPC code. Reasons are stable; messages are for people and may change.
 * docs/errors.md explains each.
 */
export const reasons = {
  /** No `authorization: Bearer <secret key>` came with the call. */
  MISSING_KEY: Code.Unauthenticated,
  /** The key is not one of this server's. */
  INVALID_KEY: Code.Unauthenticated,
  /** A field breaks its rules; BadRequest says which. */
  INVALID_FIELD: Code.InvalidArgument,
  /** The bytes are not the message that the method takes. */
  MALFORMED_FRAME: Code.InvalidArgument,
  /** A message has more than 4 MiB. */
  FRAME_TOO_LARGE: Code.ResourceExhausted,
  /** A payload says it is JSON and is not. */
  PAYLOAD_NOT_JSON: Code.InvalidArgument,
  /** A payload or output has more than 128 KiB, and travels with its run; or more than 10 MiB, and travels by reference. */
  PAYLOAD_TOO_LARGE: Code.ResourceExhausted,
  /** No payload of the environment has this reference. */
  PAYLOAD_NOT_FOUND: Code.NotFound,
  /** No version of the environment's code has this number. */
  VERSION_NOT_FOUND: Code.NotFound,
  /** No run has this id. */
  RUN_NOT_FOUND: Code.NotFound,
  /** No service has this name; of gRPC's health service only. */
  SERVICE_NOT_FOUND: Code.NotFound,
  /** No batch has this id, or it ended long ago. */
  BATCH_NOT_FOUND: Code.NotFound,
  TOKEN_NOT_FOUND: Code.NotFound,
  /** The environment has as many tokens that nobody has completed as it may. */
  TOKENS_FULL: Code.ResourceExhausted,
  /** The task has no such idempotency key. */
  IDEMPOTENCY_KEY_NOT_FOUND: Code.NotFound,
  /** No queue has this id or name. */
  QUEUE_NOT_FOUND: Code.NotFound,
  /** No concurrency limit has this name. */
  CONCURRENCY_LIMIT_NOT_FOUND: Code.NotFound,
  /** The run is not DELAYED, and only then has a time that may be changed. */
  RUN_NOT_DELAYED: Code.FailedPrecondition,
  /** The batch takes no more items. */
  BATCH_SEALED: Code.FailedPrecondition,
  /** The batch would have more items than it may. */
  BATCH_TOO_LARGE: Code.InvalidArgument,
  /** The environment holds as many idempotency keys as it may. */
  IDEMPOTENCY_KEYS_FULL: Code.ResourceExhausted,
  /** The run is in a final state. */
  RUN_FINISHED: Code.FailedPrecondition,
  /** The token names an attempt that is over, or was never given out. */
  STALE_ATTEMPT: Code.Aborted,
  /** A newer life of the same worker has taken over. */
  SESSION_SUPERSEDED: Code.Aborted,
  /** This server does not know the polled stream: another one does, or it was quiet for too long. */
  STREAM_UNKNOWN: Code.FailedPrecondition,
  /** The polled stream waits for a Hello. */
  HELLO_REQUIRED: Code.FailedPrecondition,
  /** A later poll of the same stream has taken the place of this one. */
  POLL_SUPERSEDED: Code.Aborted,
  /** The run that an idempotency key found waits for the one that would wait for it. */
  WAIT_CYCLE: Code.FailedPrecondition,
  /** The attempt waits for nothing. */
  NO_OPEN_WAIT: Code.FailedPrecondition,
  /** This server does not own the partition (any more). */
  NOT_OWNER: Code.FailedPrecondition,
  /** Nobody serves the address. */
  NO_SERVER: Code.Unavailable,
  /** The connection to NATS was lost while the call was under way, or is away: whether the call was carried out is not known. */
  CONNECTION_LOST: Code.Unavailable,
  /** Nobody owns the partition at present. */
  NO_OWNER: Code.Unavailable,
  /** The log, or the store of payloads, cannot be reached: NATS is away. */
  LOG_UNAVAILABLE: Code.Unavailable,
  /** The store of the log and the payloads is full. */
  LOG_FULL: Code.ResourceExhausted,
  /** The queue holds as many runs as it may. */
  QUEUE_FULL: Code.ResourceExhausted,
  /** Too much is uncommitted. */
  OVERLOADED: Code.Unavailable,
  /** History is being made anew from the log. */
  HISTORY_REBUILDING: Code.Unavailable,
  /** History has not yet followed the log to the position that a read must see. */
  HISTORY_BEHIND: Code.Unavailable,
  /** History does not know the stream of changes (any more). */
  WATCH_UNKNOWN: Code.FailedPrecondition,
  /** The cursor of a Watch is of another log. */
  CURSOR_OUT_OF_RANGE: Code.OutOfRange,
  /** The server is stopping. */
  DRAINING: Code.Unavailable,
  /** The call took longer than its deadline. */
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  /** The method does not exist. */
  UNIMPLEMENTED: Code.Unimplemented,
  /** A defect of the server; its log has the details under the given id. */
  INTERNAL: Code.Internal,
} as const satisfies Record<string, Code>;

/** A stable reason from the catalogue. */
export type Reason = keyof typeof reasons;

/** What an error says besides its reason and message. */
export interface ErrorContext {
  /** Dynamic values that the message shows; part of ErrorInfo. */
  metadata?: Record<string, string>;
  /** Fields that break their rules, as paths: `items[3].task_id`. */
  violations?: { field: string; description: string; reason?: string }[];
  /** When to try again, in milliseconds. Default 200 for UNAVAILABLE, none otherwise. */
  retryDelayMs?: number;
  /** The thing that is missing or in the wrong state. */
  resource?: { type: string; name: string };
  /** What went wrong underneath; logged, never sent. */
  cause?: unknown;
}

/** Makes the error of a refused call, with the google.rpc details that belong to its code. */
export function refusal(reason: Reason, message: string, context: ErrorContext = {}): ConnectError {
  const code = reasons[reason];
  const details: { desc: DescMessage; value: MessageInitShape<DescMessage> }[] = [];
  const add = <D extends DescMessage>(desc: D, value: MessageInitShape<D>) => details.push({ desc, value: value as never });
  add(ErrorInfoSchema, { reason, domain: errorDomain, metadata: context.metadata ?? {} });
  if (context.violations) {
    add(BadRequestSchema, { fieldViolations: context.violations.map((v) => ({ field: v.field, description: v.description, reason: v.reason ?? "" })) });
  }
  const retryDelayMs = context.retryDelayMs ?? (code === Code.Unavailable ? 200 : undefined);
  if (retryDelayMs !== undefined) add(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) });
  const subject = context.resource ? `${context.resource.type}/${context.resource.name}` : "";
  if (code === Code.NotFound)
    add(ResourceInfoSchema, { resourceType: context.resource?.type ?? "", resourceName: context.resource?.name ?? "", description: message });
  if (code === Code.FailedPrecondition) add(PreconditionFailureSchema, { violations: [{ type: reason, subject, description: message }] });
  if (code === Code.ResourceExhausted) add(QuotaFailureSchema, { violations: [{ subject, description: message }] });
  return new ConnectError(message, code, undefined, details as never, context.cause);
}

/** The stable reason of an error that this server, or another of its services, made; undefined for a stranger's. */
export function reasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === errorDomain);
  return info && info.reason in reasons ? (info.reason as Reason) : undefined;
}

/**
 * What a caller hears of an error: a ConnectError as it is; CANCELED for an abort; anything else is a defect, of which the caller hears an id (`error_id` in
 * the metadata of ErrorInfo) and the log the rest. A ConnectError that only wraps a stranger's error, as `ConnectError.from` makes it, is a defect too.
 *
 * @param where What failed, for the log.
 */
export function refusalOf(error: unknown, logger: Logger, where: string): ConnectError {
  if (error instanceof ConnectError && !isWrapped(error)) return error;
  if (isAbort(error)) return new ConnectError("the call was cancelled", Code.Canceled);
  const errorId = randomUUID();
  logger.error({ err: error, errorId }, `${where} failed`);
  return refusal("INTERNAL", `internal error ${errorId}`, { metadata: { error_id: errorId } });
}

/** Whether an error says only that its work was no longer wanted. */
export function isAbort(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.Canceled || error.code === Code.DeadlineExceeded;
  return error instanceof Error && error.name === "AbortError";
}

function isWrapped(error: ConnectError): boolean {
  return (error.code === Code.Unknown || error.code === Code.Internal) && reasonOf(error) === undefined;
}
