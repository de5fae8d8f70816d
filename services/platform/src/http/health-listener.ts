import { createServer } from "node:http";
import { localUrl } from "../config/listen-address.js";
import type { Readiness } from "../health/readiness.js";
import { listen } from "../listening/listen.js";
import { answerHealth } from "./health-routes.js";

/** An HTTP listener that answers nothing but health. */
export interface HealthListener {
  /** The address on this machine, for instance `http://127.0.0.1:7401`. */
  readonly address: string;
  /** Stops at once. Idempotent. */
  close(): Promise<void>;
}

/**
 * Listens for `/livez` and `/readyz`; everything else is 404. For processes that serve no public API.
 *
 * @throws PortTaken if something listens there already.
 */
export async function startHealthListener(options: { listen: string; readiness: Readiness }): Promise<HealthListener> {
  const server = createServer((request, response) => {
    if (!answerHealth(options.readiness, request, response)) response.writeHead(404).end();
  });
  const address = await listen(server, options.listen, "--http-listen");
  return {
    address: localUrl(address),
    async close() {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
