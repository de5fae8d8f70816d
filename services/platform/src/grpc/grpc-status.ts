import { toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { status as grpcCode, Metadata, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { refusal } from "../errors.js";
import { fittedStatusOf } from "../status.js";

/** The status that ends a call, as grpc-js has it. */
export type GrpcStatus = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** The status of a call that ended well. */
export function okStatus(trailer: Metadata | undefined): GrpcStatus {
  return { code: grpcCode.OK, details: "OK", metadata: trailer ?? null };
}

/** The status of a call that failed: code, message, and `grpc-status-details-bin` with the details, cut to what every gRPC client accepts. */
export function errorStatus(error: ConnectError, trailer: Metadata = new Metadata()): GrpcStatus {
  const status = fittedStatusOf(error);
  if (status.details.length > 0) trailer.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  // Connect's codes are gRPC's.
  return { code: error.code as number, details: status.message, metadata: trailer };
}

/** The error behind a status that grpc-js itself ends a call with: what it says about the client's bytes and deadline, under our reasons. */
export function errorOfGrpc(status: GrpcStatus): ConnectError {
  switch (status.code) {
    case grpcCode.RESOURCE_EXHAUSTED:
      return refusal("FRAME_TOO_LARGE", status.details);
    case grpcCode.DEADLINE_EXCEEDED:
      return refusal("DEADLINE_EXCEEDED", "the call took longer than its deadline");
    case grpcCode.UNIMPLEMENTED:
      return refusal("UNIMPLEMENTED", status.details);
    default:
      // INTERNAL, of which grpc-js 1.14 knows three cases: the connection broke under a write; a time-out that is no number; bytes that do not decompress.
      if (status.details === "Internal server error") return new ConnectError("the client went away", Code.Canceled);
      return refusal("MALFORMED_FRAME", status.details);
  }
}
