import { Code, ConnectError } from "@connectrpc/connect";
import { errorInfoOf, retryDelayOf } from "../client/grpc-error.js";

/** What the server said of a call that failed. */
export interface ApiErrorInfo {
  /** The HTTP status that means the same, for instance 404; undefined if no server answered. */
  readonly status: number | undefined;
  /** Name of the gRPC code in lower case, for instance "not_found". */
  readonly code: string;
  /** Stable reason, for instance "RUN_NOT_FOUND"; undefined if the error does not come from a Runlane server. docs/errors.md explains each. */
  readonly reason?: string | undefined;
  /** The values that the message shows, by name. */
  readonly details?: Readonly<Record<string, string>> | undefined;
  /** When the server wants to be asked again, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Marks ApiErrors, whichever copy of the SDK made them: a worker meets those of the task files' copy. */
const apiErrorTag = Symbol.for("runlane.api-error");

/** A call that failed. Which subclass it is follows from the status, as in Trigger.dev. A failed run is not a failed call. */
export class ApiError extends Error {
  override name = "ApiError";
  /** The HTTP status that means the same; undefined if no server answered. */
  declare readonly status: number | undefined;
  /** Name of the gRPC code in lower case, for instance "not_found". */
  readonly code: string;
  /** Stable reason, for instance "RUN_NOT_FOUND". */
  readonly reason: string | undefined;
  /** The values that the message shows, by name. */
  readonly details: Readonly<Record<string, string>>;
  /** When the server wants to be asked again, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  static {
    // Not declared as a member: it would make the types of two copies of the SDK incompatible.
    Object.defineProperty(ApiError.prototype, apiErrorTag, { value: true });
  }

  constructor(message: string, { status, code, reason, details, retryAfterMs, cause }: ApiErrorInfo) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.details = details ?? {};
    this.retryAfterMs = retryAfterMs;
  }
}

/** True for ApiErrors of any copy of the SDK in this process. */
export function isApiError(value: unknown): value is ApiError {
  return typeof value === "object" && value !== null && apiErrorTag in value;
}

/** No server answered. What was asked may have happened nevertheless; the message says so where it is possible. */
export class ApiConnectionError extends ApiError {
  override name = "ApiConnectionError";
  declare readonly status: undefined;
}

/** 400: something that was sent breaks its rules. */
export class BadRequestError extends ApiError {
  override name = "BadRequestError";
  declare readonly status: 400;
}

/** 401: the secret key is missing, or not one of this server's. */
export class AuthenticationError extends ApiError {
  override name = "AuthenticationError";
  declare readonly status: 401;
}

/** 403: the key does not allow it. */
export class PermissionDeniedError extends ApiError {
  override name = "PermissionDeniedError";
  declare readonly status: 403;
}

/** 404: there is no such thing. */
export class NotFoundError extends ApiError {
  override name = "NotFoundError";
  declare readonly status: 404;
}

/** 409: it exists already, or somebody else was first. */
export class ConflictError extends ApiError {
  override name = "ConflictError";
  declare readonly status: 409;
}

/** 422: the thing is in a state that does not allow it. */
export class UnprocessableEntityError extends ApiError {
  override name = "UnprocessableEntityError";
  declare readonly status: 422;
}

/** 429: a limit is reached. */
export class RateLimitError extends ApiError {
  override name = "RateLimitError";
  declare readonly status: 429;

  /** When to try again; undefined if waiting does not help. */
  get millisecondsUntilReset(): number | undefined {
    return this.retryAfterMs;
  }
}

/** 500 and above: the server cannot do it, for good or for the time being. */
export class InternalServerError extends ApiError {
  override name = "InternalServerError";
}

type ErrorClass = new (message: string, info: ApiErrorInfo) => ApiError;

const byCode: Record<Code, readonly [status: number, ErrorClass]> = {
  [Code.Canceled]: [499, ApiError],
  [Code.Unknown]: [500, InternalServerError],
  [Code.InvalidArgument]: [400, BadRequestError],
  [Code.DeadlineExceeded]: [504, InternalServerError],
  [Code.NotFound]: [404, NotFoundError],
  [Code.AlreadyExists]: [409, ConflictError],
  [Code.PermissionDenied]: [403, PermissionDeniedError],
  [Code.ResourceExhausted]: [429, RateLimitError],
  [Code.FailedPrecondition]: [422, UnprocessableEntityError],
  [Code.Aborted]: [409, ConflictError],
  [Code.OutOfRange]: [400, BadRequestError],
  [Code.Unimplemented]: [501, InternalServerError],
  [Code.Internal]: [500, InternalServerError],
  [Code.Unavailable]: [503, InternalServerError],
  [Code.DataLoss]: [500, InternalServerError],
  [Code.Unauthenticated]: [401, AuthenticationError],
};

/** The public form of what a client failed with. What is not a ConnectError stays as it is. */
export function apiErrorOf(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error;
  const info = errorInfoOf(error);
  const common = { code: codeName(error.code), reason: info?.reason, details: info?.metadata, retryAfterMs: retryDelayOf(error), cause: error.cause };
  if (error.code === Code.Unavailable && !info) return new ApiConnectionError(error.rawMessage, { ...common, status: undefined });
  if (info?.reason === "PAYLOAD_TOO_LARGE") return payloadTooLargeError(error.rawMessage, common);
  const [status, ErrorClass] = byCode[error.code];
  return new ErrorClass(error.rawMessage, { ...common, status });
}

/** 413, as the server says it and as the SDK says it before anything is sent. */
export function payloadTooLargeError(message: string, info: Partial<ApiErrorInfo> = {}): ApiError {
  return new ApiError(message, { code: codeName(Code.ResourceExhausted), reason: "PAYLOAD_TOO_LARGE", ...info, status: 413 });
}

function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** Throws what the server said as an ApiError. */
export function throwApiError(error: unknown): never {
  throw apiErrorOf(error);
}
