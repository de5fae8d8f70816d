import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readiness } from "../health/readiness.js";

/**
 * Answers `/livez` and `/readyz`, for whoever watches over processes. Without a key: what they say is no secret.
 *
 * `/livez` is 200 whenever the process answers at all. `/readyz` is 200 while the process should be sent work; else 503, and its body says why not, one reason a line. A process that stops
 * says so before it does anything else.
 *
 * @returns whether the path was one of them
 */
export function answerHealth(readiness: Readiness, request: IncomingMessage, response: ServerResponse): boolean {
  const path = request.url?.split("?", 1)[0];
  if (path !== "/livez" && path !== "/readyz") return false;
  const head = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  if (request.method !== "GET" && request.method !== "HEAD") response.writeHead(405, { ...head, allow: "GET, HEAD" }).end();
  else if (path === "/livez" || readiness.ready()) response.writeHead(200, head).end("ok\n");
  else response.writeHead(503, head).end(`${readiness.reasons().join("\n")}\n`);
  return true;
}
