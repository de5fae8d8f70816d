import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";

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
