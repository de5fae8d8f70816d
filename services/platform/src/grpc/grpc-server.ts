import { once } from "node:events";
import net from "node:net";
import { createServiceImplSpec } from "@connectrpc/connect";
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Authenticate } from "../auth/principal.js";
import { formatListenAddress, type ListenAddress, localUrl, parseListenAddress } from "../config/listen-address.js";
import { refusal } from "../errors.js";
import { type BidiHandler, callbackFormOf } from "./bidi-stream.js";
import { callbackHandlerOf } from "./callback-handler.js";
import { type CallSurroundings, GrpcCall, type ServedMethod } from "./grpc-call.js";
import type { GrpcService } from "./grpc-service.js";

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

/** A gRPC server that listens. */
export interface GrpcServer {
  /** The address for clients on this machine, for instance `http://127.0.0.1:7400`. */
  readonly address: string;
  /** The port, also if 0 was asked for. */
  readonly port: number;
  /**
   * Takes no more connections, asks clients to go elsewhere, and waits until all calls are over; those that are not after `graceMs` end with UNAVAILABLE and reason
   * DRAINING.
   */
  drain(graceMs: number): Promise<void>;
  /** Like `drain(0)`; cuts a drain short that is under way. */
  close(): Promise<void>;
}

/** The port to listen on belongs to somebody else. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
  /** The port. */
  readonly port: number;

  constructor(address: ListenAddress, cause: unknown) {
    super(`port ${address.port} on ${address.host || "this machine"} is taken: stop what listens there, or choose another with --listen`, { cause });
    this.port = address.port;
  }
}

/**
 * Serves Connect handlers over gRPC.
 *
 * @throws PortTaken if something listens there already.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const methods = new Map(options.services.flatMap(servedMethods));
  const sockets = new Set<net.Socket>();
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
    return new ServerInterceptingCall(call, served && { start: () => new GrpcCall(call, served, around).start() });
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
  for (const path of methods.keys()) server.register(path, () => {}, asBuffer, asBuffer, "bidi");

  // grpc-js can listen by itself, but then a taken port is a line on the console and an error that does not say so.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  const wanted = typeof options.listen === "string" ? parseListenAddress(options.listen) : options.listen;
  listener.on("error", (error) => options.logger.error({ err: error }, "the gRPC listener could not accept a connection"));
  const address = { host: wanted.host, port: await listen(listener, wanted) };

  let cutShort = () => {};
  const drain = async (graceMs: number): Promise<void> => {
    const hurry = new Promise<void>((resolve) => {
      cutShort = resolve;
    });
    const closed = once(listener, "close");
    listener.close();
    const idle = new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    await within(graceMs, Promise.race([idle, hurry]));
    for (const call of around.calls) call.abandon(refusal("DRAINING", "the server is stopping"));
    // What was just said needs a moment to reach the clients; whoever does not listen is not waited for.
    if (around.calls.size > 0) await within(250, idle);
    server.forceShutdown();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  let drained: Promise<void> | undefined;
  const drainOnce = (graceMs: number) => {
    drained ??= drain(graceMs);
    return drained;
  };
  return {
    address: localUrl(address),
    port: address.port,
    drain: drainOnce,
    close: () => {
      cutShort();
      return drainOnce(0);
    },
  };
}

function servedMethods({ service, implementation }: GrpcService): [string, ServedMethod][] {
  const spec = createServiceImplSpec(service, implementation);
  return service.methods.map((method) => {
    const given = (implementation as Record<string, object | undefined>)[method.localName];
    const form = given && callbackFormOf(given);
    const methodSpec = spec.methods[method.localName];
    if (methodSpec === undefined) throw new Error(`${service.typeName} has no method ${method.name}`);
    const handler: BidiHandler<never, unknown> = given ? (form?.handler ?? callbackHandlerOf(methodSpec)) : unimplemented(method.name);
    return [`/${service.typeName}/${method.name}`, { method, handler, raw: form?.raw ?? false }];
  });
}

function unimplemented(name: string): BidiHandler<never, unknown> {
  return () => {
    throw refusal("UNIMPLEMENTED", `${name} is not implemented`);
  };
}

async function listen(listener: net.Server, address: ListenAddress): Promise<number> {
  try {
    listener.listen({ port: address.port, ...(address.host && { host: address.host }) });
    await once(listener, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw new PortTaken(address, error);
    throw new Error(`cannot listen on ${formatListenAddress(address)}: ${(error as Error).message}`, { cause: error });
  }
  return (listener.address() as net.AddressInfo).port;
}

/** Waits for `done`, but not longer than `ms`. */
async function within(ms: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([done, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

function asBuffer(bytes: Buffer): Buffer {
  return bytes;
}
