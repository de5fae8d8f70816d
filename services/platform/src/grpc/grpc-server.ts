import { once } from "node:events";
import type net from "node:net";
import { createServiceImplSpec } from "@connectrpc/connect";
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Authenticate } from "../auth/principal.js";
import { type ListenAddress, localUrl } from "../config/listen-address.js";
import { refusal } from "../errors.js";
import { listen } from "../listening/listen.js";
import { type DrainLimits, type ListeningServer, stopsOf, within } from "../listening/listening-server.js";
import { createProtocolFront } from "../listening/protocol-front.js";
import type { TlsIdentity } from "../tls/tls-files.js";
import { type BidiHandler, callbackFormOf } from "./bidi-stream.js";
import { callbackHandlerOf } from "./callback-handler.js";
import { type CallSurroundings, GrpcCall, type ServedMethod } from "./grpc-call.js";
import type { GrpcService } from "./grpc-service.js";
import { errorStatus } from "./grpc-status.js";

/** Options of {@link startGrpcServer}. */
export interface GrpcServerOptions {
  /** Where to listen: `127.0.0.1:7400`, `[::1]:0`, `:7400`. Port 0 takes any free one. */
  listen: string | ListenAddress;
  /** What to serve. */
  services: readonly GrpcService[];
  /** Called once for each call, before its handler. */
  authenticate: Authenticate;
  /** Gets defects of handlers, each with the id that its caller was told. */
  logger: Logger;
  /** Serves TLS with this certificate. Default: cleartext. */
  tls?: TlsIdentity | undefined;
  /** Largest message that is accepted, in bytes. Default 4 MiB. Beyond it: RESOURCE_EXHAUSTED. */
  maxReceiveBytes?: number;
  /** A client that lets more than this many bytes of one stream wait is cut off. Default 32 MiB. */
  maxBufferedBytes?: number;
  /** A connection is pinged after this long. Default 10,000 ms. Clients may ping as often as they like. */
  keepaliveTimeMs?: number;
  /** A connection that does not answer a ping for this long is dropped. Default 20,000 ms. */
  keepaliveTimeoutMs?: number;
  /** After this long (± 10 %) a client is asked to connect anew, so that balancers can move it. Default: never. */
  maxConnectionAgeMs?: number;
  /** How long streams may go on on a connection that has reached its age. Default 60,000 ms. */
  maxConnectionAgeGraceMs?: number;
}

/** Stands for every method that nobody serves. */
const unknownMethod = "*";

/**
 * Serves Connect handlers over gRPC.
 *
 * @throws PortTaken if something listens there already.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<ListeningServer> {
  const methods = new Map(options.services.flatMap(servedMethods));
  const around: CallSurroundings = {
    authenticate: options.authenticate,
    logger: options.logger,
    maxBufferedBytes: options.maxBufferedBytes ?? 32 * 1024 * 1024,
    calls: new Set(),
    cutOff: (call) => {
      const { remoteAddress, remotePort } = call.getConnectionInfo();
      for (const socket of sockets) if (socket.remotePort === remotePort && socket.remoteAddress === remoteAddress) socket.destroy();
    },
  };
  const intercept: ServerInterceptor = (method, call) => {
    const served = methods.get(method.path);
    return new ServerInterceptingCall(call, { start: () => (served ? new GrpcCall(call, served, around).start() : refuseUnknown(call)) });
  };
  const server = new Server({
    "grpc.max_receive_message_length": options.maxReceiveBytes ?? 4 * 1024 * 1024,
    "grpc.keepalive_time_ms": options.keepaliveTimeMs ?? 10_000,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? 20_000,
    ...(options.maxConnectionAgeMs !== undefined && {
      "grpc.max_connection_age_ms": options.maxConnectionAgeMs,
      "grpc.max_connection_age_grace_ms": options.maxConnectionAgeGraceMs ?? 60_000,
    }),
    // Its counters cost two clock readings a message.
    "grpc.enable_channelz": 0,
    interceptors: [intercept],
  });
  // The interceptor takes every call over before a handler of grpc-js is asked; it decodes too, so that malformed bytes are not an INTERNAL error.
  for (const path of [...methods.keys(), unknownMethod]) server.register(path, () => {}, asBuffer, asBuffer, "bidi");
  // A method that it does not know, grpc-js refuses before any interceptor hears of it, without details. Should a later version look up methods in another way, they are
  // merely missing again.
  const find: unknown = Reflect.get(server, "_retrieveHandler");
  if (typeof find === "function") {
    Reflect.set(server, "_retrieveHandler", (path: string) => Reflect.apply(find, server, [methods.has(path) ? path : unknownMethod]));
  }

  // grpc-js can listen by itself, but then a taken port is a line on the console and an error that does not say so.
  // TLS is ended here too, because its own credentials cannot be renewed.
  const { tls, logger } = options;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const { listener, sockets } = createProtocolFront({
    http1: refuseHttp1,
    http2: (socket) => injector.injectConnection(socket),
    tls,
    firstBytesWithinMs: 10_000,
    logger,
  });
  const address = await listen(listener, options.listen, "--listen");
  listener.on("error", (error) => logger.error({ err: error }, "the gRPC listener could not accept a connection"));

  const abandon = (calls: Iterable<GrpcCall>) => {
    for (const call of calls) call.abandon(refusal("DRAINING", "the server is stopping"));
  };
  const drain = async ({ graceMs, streamGraceMs, hurry }: DrainLimits): Promise<void> => {
    const closed = once(listener, "close");
    listener.close();
    const idle = new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    const over = Promise.race([idle, hurry]);
    await within(streamGraceMs, over);
    abandon([...around.calls].filter((call) => call.isStream));
    await within(graceMs - streamGraceMs, over);
    abandon(around.calls);
    // What was just said needs a moment to reach the clients; whoever does not listen is not waited for.
    if (around.calls.size > 0) await within(250, idle);
    server.forceShutdown();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { address: localUrl(address, tls !== undefined), port: address.port, ...stopsOf(drain) };
}

function servedMethods({ service, implementation, withoutKey = false }: GrpcService): [string, ServedMethod][] {
  const spec = createServiceImplSpec(service, implementation);
  return service.methods.map((method) => {
    const given = (implementation as Record<string, object | undefined>)[method.localName];
    const form = given && callbackFormOf(given);
    const methodSpec = spec.methods[method.localName];
    if (methodSpec === undefined) throw new Error(`${service.typeName} has no method ${method.name}`);
    const handler: BidiHandler<never, unknown> = given ? (form?.handler ?? callbackHandlerOf(methodSpec)) : unimplemented(method.name);
    return [`/${service.typeName}/${method.name}`, { method, handler, raw: form?.raw ?? false, withoutKey }];
  });
}

function unimplemented(name: string): BidiHandler<never, unknown> {
  return () => {
    throw refusal("UNIMPLEMENTED", `${name} is not implemented`);
  };
}

function refuseUnknown(call: ServerInterceptingCallInterface): void {
  call.start({ onReceiveMetadata() {}, onReceiveMessage() {}, onReceiveHalfClose() {}, onCancel() {} });
  call.sendStatus(errorStatus(refusal("UNIMPLEMENTED", "this server has no such method")));
}

/** Whoever tries this port with a browser or `curl` is told which port to try, rather than shown the bytes of HTTP/2. */
function refuseHttp1(socket: net.Socket): void {
  const text = "This port speaks gRPC, over HTTP/2. Connect, gRPC-Web and JSON over HTTP/1.1 have a port of their own: 7401, or what --http-listen says.\n";
  socket.resume();
  socket.end(`HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`);
  // One that goes on sending is not listened to.
  socket.setTimeout(1_000, () => socket.destroy());
}

function asBuffer(bytes: Buffer): Buffer {
  return bytes;
}
