import type net from "node:net";
import tls from "node:tls";
import type { Logger } from "pino";
import type { TlsIdentity } from "./tls-files.js";

/** Options of {@link createTlsListener}. */
export interface TlsListenerOptions {
  identity: TlsIdentity;
  /** What may be spoken, the best first: names of ALPN. */
  protocols: string[];
  /** How long a client may take to shake hands, in milliseconds. */
  handshakeWithinMs: number;
  /** Gets each connection, before anything is said on it. */
  accept(socket: net.Socket): void;
  /** Gets each connection on which hands were shaken. */
  secured(socket: tls.TLSSocket): void;
  logger: Logger;
}

/** A listener that speaks TLS, with a renewed certificate from the next connection on; connections that there are go on as they began. Not listening so far. */
export function createTlsListener({ identity, protocols, handshakeWithinMs, accept, secured, logger }: TlsListenerOptions): net.Server {
  const { cert, key } = identity;
  const listener = tls.createServer({ cert, key, ALPNProtocols: protocols, handshakeTimeout: handshakeWithinMs, noDelay: true });
  const endRenewal = identity.onRenewal?.((pair) => listener.setSecureContext({ cert: pair.cert, key: pair.key }));
  if (endRenewal) listener.once("close", endRenewal);
  listener.on("connection", accept);
  listener.on("tlsClientError", (error, socket) => {
    logger.debug({ err: error }, "a TLS handshake failed");
    socket.destroy();
  });
  listener.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    secured(socket);
  });
  return listener;
}
