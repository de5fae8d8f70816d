import { create, createRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";

// gRPC's C core, which Python, Ruby, C# and PHP use, refuses metadata above 8 KiB in total by default. The message goes out twice (grpc-message, percent-encoded, and in
// the details) and the details as base64.
const maxMessageLength = 1024;
const maxDetailsBytes = 4096;

/** The error as google.rpc.Status, with all its details: how it is stored, and how it crosses between services. */
export function statusOf(error: ConnectError): Status {
  const details = error.details.map((detail) =>
    "desc" in detail ? anyPack(detail.desc, create(detail.desc, detail.value)) : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
  );
  return create(StatusSchema, { code: error.code, message: error.rawMessage, details });
}

/** The error that a google.rpc.Status tells of: always a new one, without metadata, so that it may be thrown on to another caller. */
export function errorOf(status: Status): ConnectError {
  const error = new ConnectError(status.message, status.code in Code ? status.code : Code.Unknown);
  error.details = status.details.map((any) => ({ type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1), value: any.value }));
  return error;
}

/** The error as google.rpc.Status, cut to what fits into the trailers that every gRPC client accepts: the message to 1,024 characters, details dropped from the last to 4 KiB. */
export function fittedStatusOf(error: ConnectError): Status {
  const status = statusOf(error);
  status.message = fittedMessage(status.message);
  while (status.details.length > 0 && toBinary(StatusSchema, status).length > maxDetailsBytes) status.details.pop();
  return status;
}

/** The same error, or one cut as {@link fittedStatusOf} does if it is too large for trailers. */
export function fitted(error: ConnectError): ConnectError {
  const status = fittedStatusOf(error);
  return status.message === error.rawMessage && status.details.length === error.details.length ? error : errorOf(status);
}

const detailTypes = createRegistry(file_google_rpc_error_details);

/** The same error, with google.rpc details that came from another service as messages instead of bytes: Connect writes such details in JSON beside the bytes. */
export function readable(error: ConnectError): ConnectError {
  error.details = error.details.map((detail) => {
    const desc = "desc" in detail ? undefined : detailTypes.getMessage(detail.type);
    return desc ? { desc, value: fromBinary(desc, (detail as { value: Uint8Array }).value) } : detail;
  });
  return error;
}

/** Half a surrogate pair would break the percent-encoding of grpc-message, in grpc-js and Connect alike. */
function fittedMessage(message: string): string {
  const short = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;
  return Buffer.from(short, "utf8").toString("utf8");
}
