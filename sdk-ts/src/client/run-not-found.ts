import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { errorDomain } from "./grpc-error.js";

/** There is no run with this id: as GetRun says it. */
export function runNotFound(runId: string): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason: "RUN_NOT_FOUND", domain: errorDomain, metadata: { run_id: runId } } };
  return new ConnectError(`there is no run ${runId}`, Code.NotFound, undefined, [info]);
}
