import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { errorOfStatus } from "../client/grpc-error.js";
import { refusalStatus } from "../testing/fake-server.js";
import * as errors from "./api-error.js";

test.each([
  [Code.InvalidArgument, 400, errors.BadRequestError, "invalid_argument"],
  [Code.OutOfRange, 400, errors.BadRequestError, "out_of_range"],
  [Code.Unauthenticated, 401, errors.AuthenticationError, "unauthenticated"],
  [Code.PermissionDenied, 403, errors.PermissionDeniedError, "permission_denied"],
  [Code.NotFound, 404, errors.NotFoundError, "not_found"],
  [Code.AlreadyExists, 409, errors.ConflictError, "already_exists"],
  [Code.Aborted, 409, errors.ConflictError, "aborted"],
  [Code.FailedPrecondition, 422, errors.UnprocessableEntityError, "failed_precondition"],
  [Code.ResourceExhausted, 429, errors.RateLimitError, "resource_exhausted"],
  [Code.Canceled, 499, errors.ApiError, "canceled"],
  [Code.Internal, 500, errors.InternalServerError, "internal"],
  [Code.Unimplemented, 501, errors.InternalServerError, "unimplemented"],
  [Code.Unavailable, 503, errors.InternalServerError, "unavailable"],
  [Code.DeadlineExceeded, 504, errors.InternalServerError, "deadline_exceeded"],
])("code %i has status %i", (code, status, ErrorClass, name) => {
  const error = errors.apiErrorOf(errorOfStatus(refusalStatus(code, "why", "SOME_REASON", 10)));
  expect(error).toBeInstanceOf(ErrorClass);
  expect(error).toMatchObject({ status, code: name, reason: "SOME_REASON", message: "why", retryAfterMs: 10, name: ErrorClass.name });
});

test("too large a payload has status 413, as in Trigger.dev", () => {
  expect(errors.apiErrorOf(errorOfStatus(refusalStatus(Code.ResourceExhausted, "large", "PAYLOAD_TOO_LARGE")))).toMatchObject({ status: 413 });
});

test("UNAVAILABLE that no Runlane server said is a connection that failed", () => {
  const error = errors.apiErrorOf(new ConnectError("connect ECONNREFUSED", Code.Unavailable));
  expect(error).toBeInstanceOf(errors.ApiConnectionError);
  expect(error).toMatchObject({ status: undefined, reason: undefined, message: "connect ECONNREFUSED" });
});

test("what is no error of a call stays as it is", () => {
  const error = new TypeError("no");
  expect(errors.apiErrorOf(error)).toBe(error);
});

test("an ApiError of another copy of the SDK is recognised, and nothing else is", async () => {
  vi.resetModules();
  const other = await import("./api-error.js");
  const error = new other.NotFoundError("not there", { status: 404, code: "not_found" });
  expect(error).not.toBeInstanceOf(errors.ApiError);
  expect(errors.isApiError(error)).toBe(true);
  expect([new Error("not there"), { status: 404 }, null, "not there"].filter(errors.isApiError)).toEqual([]);
});
