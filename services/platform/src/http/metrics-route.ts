import type { IncomingMessage, ServerResponse } from "node:http";
import type { Metrics } from "../metrics/metrics.js";

/**
 * Answers `/metrics`, in the text format of Prometheus. Without a key: it holds counts, and no names that users gave.
 *
 * @returns whether that was the path
 */
export function answerMetrics(metrics: Metrics, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.url?.split("?", 1)[0] !== "/metrics") return false;
  const head = { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" };
  if (request.method !== "GET" && request.method !== "HEAD") response.writeHead(405, { ...head, allow: "GET, HEAD" }).end();
  else response.writeHead(200, head).end(metrics.text());
  return true;
}
