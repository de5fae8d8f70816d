import net from "node:net";
import type { Logger } from "pino";
import type { TlsIdentity } from "../tls/tls-files.js";
import { createTlsListener } from "../tls/tls-listener.js";

/** What HTTP/2 begins with; what is something else from these bytes on is HTTP/1.1. */
const preface = Buffer.from("PRI ");

/** Options of {@link createProtocolFront}. */
export interface ProtocolFrontOptions {
  /** Gets a connection that speaks HTTP/1.1. */
  http1(socket: net.Socket): void;
  /** Gets a connection that speaks HTTP/2. */
  http2(socket: net.Socket): void;
  /** Serves TLS with this certificate. */
  tls: TlsIdentity | undefined;
  /** How long a client may take to say its first bytes, in milliseconds, or to shake hands over TLS. */
  firstBytesWithinMs: number;
  logger: Logger;
}

/** A listener that finds out what each client speaks. */
export interface ProtocolFront {
  /** Not listening so far. */
  readonly listener: net.Server;
  /** Every open connection. Node's HTTP servers do not know all of them: their own lists begin with the first request. */
  readonly sockets: ReadonlySet<net.Socket>;
}

/**
 * HTTP/1.1 and HTTP/2 on one port. With TLS, ALPN says which it is. Without, Node has no such server: the first bytes tell, because HTTP/2 begins with words that no HTTP/1.1
 * request begins with.
 */
export function createProtocolFront(options: ProtocolFrontOptions): ProtocolFront {
  const { firstBytesWithinMs, logger } = options;
  const sockets = new Set<net.Socket>();
  const accept = (socket: net.Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A client that is gone without having been asked: what it had under way hears of that by itself.
    socket.on("error", () => {});
    socket.setKeepAlive(true, 60_000);
  };
  if (options.tls === undefined) {
    const listener = net.createServer({ noDelay: true }, (socket) => {
      accept(socket);
      sniff(socket, options);
    });
    return { listener, sockets };
  }
  const listener = createTlsListener({
    identity: options.tls,
    protocols: ["h2", "http/1.1"],
    handshakeWithinMs: firstBytesWithinMs,
    accept,
    secured: (socket) => (socket.alpnProtocol === "h2" ? options.http2(socket) : options.http1(socket)),
    logger,
  });
  return { listener, sockets };
}

/** Reads until the protocol is clear, and hands the connection on with nothing missing. */
function sniff(socket: net.Socket, { http1, http2, firstBytesWithinMs }: ProtocolFrontOptions): void {
  let head = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), firstBytesWithinMs);
  const stop = () => {
    clearTimeout(timer);
    socket.off("data", read);
    socket.off("close", stop);
    socket.off("end", end);
  };
  const end = () => socket.destroy();
  const read = (bytes: Buffer) => {
    head = Buffer.concat([head, bytes]);
    const compared = Math.min(head.length, preface.length);
    const isHttp2 = head.subarray(0, compared).equals(preface.subarray(0, compared));
    if (isHttp2 && compared < preface.length) return;
    stop();
    socket.pause();
    socket.unshift(head);
    if (isHttp2) return http2(socket);
    http1(socket);
    // An HTTP/2 session reads the connection in its own way.
    socket.resume();
  };
  socket.on("data", read);
  socket.on("close", stop);
  socket.on("end", end);
}
