import type { IncomingMessage, ServerResponse } from "node:http";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { reasonOf, refusal, refusalOf } from "../errors.js";
import { answerJson } from "./unknown-path.js";

/** A path that is served besides calls, for callers who know HTTP and nothing of Runlane. */
export interface HttpRoute {
  /** Whether a path is its, without what follows a `?`. */
  matches(path: string): boolean;
  /**
   * Answers a request, without a key: what the path holds has to be enough.
   *
   * @param ending aborted when requests have to end
   * @throws ConnectError, which is answered as JSON with the HTTP status of its code; what else it throws is a defect, and answered as such
   */
  answer(request: IncomingMessage, response: ServerResponse, ending: AbortSignal): Promise<void>;
}

/** The body of a request. @throws ConnectError PAYLOAD_TOO_LARGE if it has more than `most` bytes */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer> {
  // Whoever still sends does not listen, and would lose an answer that ends the connection: so more is read than is taken, but not without end.
  const patience = 4 * most;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= most) chunks.push(chunk);
    else if (bytes > patience) break;
  }
  if (bytes > most) {
    const metadata = { limit: String(most) };
    throw refusal("PAYLOAD_TOO_LARGE", `the body has more than ${most} bytes`, { metadata, resource: { type: "payload", name: "body" } });
  }
  return Buffer.concat(chunks, bytes);
}

/** Lets a route answer, and answers what it throws. Never rejects. */
export async function answerBy(route: HttpRoute, request: IncomingMessage, response: ServerResponse, ending: AbortSignal, logger: Logger): Promise<void> {
  try {
    await route.answer(request, response, ending);
  } catch (thrown) {
    if (response.headersSent || response.destroyed) return void response.destroy();
    const error = refusalOf(ending.aborted ? ending.reason : thrown, logger, `${request.method} by HTTP`);
    const [retry] = error.findDetails(RetryInfoSchema);
    if (retry) response.setHeader("Retry-After", "1");
    // Of what is left of the body nobody reads anything.
    if (!request.complete) response.setHeader("Connection", "close");
    answerJson(response, reasonOf(error) === "PAYLOAD_TOO_LARGE" ? 413 : codeToHttpStatus(error.code), error);
  }
}
