import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { refusal } from "../errors.js";

/** Answers a request for what nobody serves: 404 and words, or UNIMPLEMENTED for a client of gRPC. */
export function answerUnknown(request: IncomingMessage, response: ServerResponse): void {
  const what = `${request.method} ${request.url?.split("?", 1)[0]?.slice(0, 200)}`;
  const error = refusal(
    "UNIMPLEMENTED",
    `nothing is served at ${what}; calls are POST /<package>.<Service>/<Method>, for instance POST /runlane.v1.RunService/TriggerTasks`,
  );
  const contentType = request.headers["content-type"] ?? "";
  if (!contentType.startsWith("application/grpc")) return answerJson(response, 404, error);
  // gRPC's form of a response that is nothing but an error. To its clients, a status of HTTP says little.
  const status = setTrailerStatus(new Headers(), error);
  response.writeHead(200, { "content-type": contentType, ...Object.fromEntries(status) }).end();
}

/** Answers an error as Connect writes it. */
export function answerJson(response: ServerResponse, status: number, error: ConnectError): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(errorToJson(error, undefined))}\n`);
}
