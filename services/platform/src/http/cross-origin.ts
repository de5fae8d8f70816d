import type { IncomingMessage, ServerResponse } from "node:http";
import { cors } from "@connectrpc/connect";

/** Pages on the developer's own machine. */
const ownMachine = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
/** How long a browser may remember the answer to its preflight, in seconds; Chromium's most. */
const maxAge = 7_200;

/**
 * Which web pages may call, by their origin: those named, and pages on this machine's own loopback (`http://localhost:*`, `http://127.0.0.1:*`). The secret key protects the server, not
 * the origin: browsers send it only if a page's own code does.
 */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /**
   * @param origins for instance "https://app.example.com"; "*" stands for every origin
   * @throws Error that names an origin that is none
   */
  constructor(origins: readonly string[]) {
    for (const origin of origins) {
      const url = URL.canParse(origin) ? new URL(origin) : undefined;
      if (origin !== "*" && url?.origin !== origin) throw new Error(`"${origin}" is no origin: write scheme://host[:port] without a path, or *`);
    }
    this.#origins = new Set(origins);
  }

  /** Says in the response what the browser asks about. Returns true if the request was a preflight, which is answered by that. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    const allowed = this.#allows(origin);
    response.setHeader("Vary", "Origin");
    if (allowed) response.setHeader("Access-Control-Allow-Origin", origin);
    if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) {
      if (allowed) response.setHeader("Access-Control-Expose-Headers", cors.exposedHeaders.join(", "));
      return false;
    }
    if (allowed) {
      response.setHeader("Access-Control-Allow-Methods", cors.allowedMethods.join(", "));
      response.setHeader("Access-Control-Allow-Headers", ["Authorization", ...cors.allowedHeaders].join(", "));
      response.setHeader("Access-Control-Max-Age", String(maxAge));
    }
    response.writeHead(204).end();
    return true;
  }

  #allows(origin: string): boolean {
    return this.#origins.has("*") || this.#origins.has(origin) || ownMachine.test(origin);
  }
}
