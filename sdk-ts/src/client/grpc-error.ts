import { fromBinary } from "@bufbuild/protobuf";
import { type Any, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, encodeBinaryHeader } from "@connectrpc/connect";
import type { Metadata, StatusObject } from "@grpc/grpc-js";
import { type ErrorInfo, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";

/** Domain of the ErrorInfo in every error that a Runlane server makes. */
export const errorDomain = "runlane.dev";

/** The error of a call that ended with `status`, with the google.rpc details that came with it. */
export function errorOfGrpcStatus(status: StatusObject, cause?: unknown): ConnectError {
  const error = new ConnectError(status.details, connectCode(status.code), headersOf(status.metadata), undefined, cause);
  const [bytes] = status.metadata.get("grpc-status-details-bin");
  if (bytes instanceof Buffer) {
    try {
      error.details = incomingDetails(fromBinary(StatusSchema, bytes).details);
    } catch {
      // Details that nobody can read take nothing from the code and the message.
    }
  }
  return error;
}

/** The error that a google.rpc.Status inside a message stands for. */
export function errorOfStatus(status: Status): ConnectError {
  const error = new ConnectError(status.message, connectCode(status.code));
  error.details = incomingDetails(status.details);
  return error;
}

/** The ErrorInfo that a Runlane server put into an error; undefined if it comes from elsewhere: a proxy, this machine's network, another server, code. */
export function errorInfoOf(error: unknown): ErrorInfo | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === errorDomain);
}

/** How long the server asks to wait before the same request is repeated, in milliseconds. */
export function retryDelayOf(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  return info?.retryDelay && durationMs(info.retryDelay);
}

/** Metadata as headers; binary values in base64. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [key, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) headers.append(key, typeof value === "string" ? value : encodeBinaryHeader(value));
  }
  return headers;
}

// Connect numbers its codes as gRPC does; zero is not an error, and others than these do not exist.
function connectCode(code: number): Code {
  return code in Code && code !== 0 ? code : Code.Unknown;
}

function incomingDetails(details: Any[]): { type: string; value: Uint8Array }[] {
  return details.map((detail) => ({ type: detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1), value: detail.value }));
}
