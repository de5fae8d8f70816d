import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { refusal } from "../errors.js";
import type { Readiness } from "../health/readiness.js";

/** Answers what is no call: `/livez` and `/readyz`, for those who watch over processes, and whatever nobody serves. None of it needs a key. */
export function answerPlainly(request: IncomingMessage, response: ServerResponse, readiness: Readiness): void {
  const { pathname } = new URL(request.url ?? "/", "http://server");
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (isRead && pathname === "/livez") return answerHealth(request, response, true, []);
  if (isRead && pathname === "/readyz") return answerHealth(request, response, readiness.ready(), readiness.reasons());
  answerUnknown(request, response, pathname);
}

/** 200 `ok`, or 503 and a line for each reason; as JSON `{"ready": …, "reasons": […]}` for who accepts nothing else. */
function answerHealth(request: IncomingMessage, response: ServerResponse, ready: boolean, reasons: string[]): void {
  const asJson = request.headers.accept?.includes("application/json") ?? false;
  const body = asJson ? JSON.stringify({ ready, reasons }) : ready ? "ok" : reasons.join("\n");
  response.writeHead(ready ? 200 : 503, { "content-type": asJson ? "application/json" : "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.end(request.method === "HEAD" ? undefined : `${body}\n`);
}

function answerUnknown(request: IncomingMessage, response: ServerResponse, pathname: string): void {
  const what = `${request.method} ${pathname.slice(0, 200)}`;
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
