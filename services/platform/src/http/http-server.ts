import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import http2, { type ServerHttp2Session } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Authenticate } from "../auth/principal.js";
import { type ListenAddress, localUrl } from "../config/listen-address.js";
import { refusal } from "../errors.js";
import type { GrpcService } from "../grpc/grpc-service.js";
import type { Readiness } from "../health/readiness.js";
import { listen } from "../listening/listen.js";
import { stopsOf, within } from "../listening/listening-server.js";
import { createProtocolFront } from "../listening/protocol-front.js";
import type { Metrics } from "../metrics/metrics.js";
import type { TlsIdentity } from "../tls/tls-files.js";
import { CrossOrigin } from "./cross-origin.js";
import { answerHealth } from "./health-routes.js";
import { answerBy, type HttpRoute } from "./http-route.js";
import { LateRequests } from "./late-requests.js";
import { answerMetrics } from "./metrics-route.js";
import { answerJson } from "./unknown-path.js";

/** Options of {@link startHttpServer}. */
export interface HttpServerOptions {
  /** Where to listen: `127.0.0.1:7401`, `[::1]:0`, `:7401`. Port 0 takes any free one. */
  listen: string | ListenAddress;
  /** What `/readyz` tells. */
  readiness: Readiness;
  /** What `/metrics` tells. Default: the path is unknown. */
  metrics?: Metrics | undefined;
  /** Gets defects of handlers, each with the id that its caller was told. */
  logger: Logger;
  /** Serves TLS with this certificate. Default: cleartext. */
  tls?: TlsIdentity | undefined;
  /** Origins of web pages that may call, besides this machine's own; "*" is every one. Default none. */
  corsOrigins?: readonly string[] | undefined;
  /** Largest message that is accepted, in bytes. Default 4 MiB. Beyond it: RESOURCE_EXHAUSTED. */
  maxReceiveBytes?: number;
  /** How long a client may take for its first bytes, and over HTTP/1.1 for the headers of a request. Default 10,000 ms. */
  headersTimeoutMs?: number;
  /** How long a client may take for a request with its body, over HTTP/1.1. Default 60,000 ms. */
  requestTimeoutMs?: number;
  /** A connection without a call is closed after this long. Default 75,000 ms: longer than balancers keep theirs, as a rule 60 s. */
  idleTimeoutMs?: number;
}

/** An HTTP server that listens. */
export interface HttpServer {
  /** The address for clients on this machine, for instance `http://127.0.0.1:7401`; `https://…` with TLS. */
  readonly address: string;
  /** The port, also if 0 was asked for. */
  readonly port: number;
  /** Answers calls of these services, and these routes, from now on. `authenticate` is called once for each call that needs a key, before its body is read. */
  serve(services: readonly GrpcService[], authenticate: Authenticate, routes?: readonly HttpRoute[]): void;
  /**
   * Lets in no more calls, asks clients to go elsewhere, and waits until all calls are over. Those that are not after `graceMs`, streams half a second at most, end with
   * UNAVAILABLE and reason DRAINING. Health is still answered.
   */
  drain(graceMs: number): Promise<void>;
  /** Stops at once, health too; cuts a drain short that is under way. Idempotent. */
  close(): Promise<void>;
}

/**
 * Listens for HTTP/1.1 and HTTP/2 on one port. Answers `/livez`, `/readyz` and `/metrics` at once, and calls in three protocols, Connect, gRPC-Web and gRPC, once it is told what to serve: who asks
 * for the health of a process must hear of its start and its end.
 *
 * @throws PortTaken if something listens there already; Error if an origin is none.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { logger, readiness, metrics } = options;
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 60_000, idleTimeoutMs = 75_000, maxReceiveBytes = 4 * 1024 * 1024 } = options;
  const crossOrigin = new CrossOrigin(options.corsOrigins ?? []);
  const endCalls = new AbortController();
  const endStreams = new AbortController();
  const calls = new LateRequests({ logger, maxReceiveBytes, endCalls: endCalls.signal, endStreams: endStreams.signal });
  const active = new Set<ServerResponse>();
  const sessions = new Set<ServerHttp2Session>();
  let routes: readonly HttpRoute[] = [];
  let draining: ConnectError | undefined;
  let becameIdle = () => {};

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    active.add(response);
    response.once("close", () => {
      active.delete(response);
      if (active.size === 0) becameIdle();
    });
    if (draining && request.httpVersionMajor === 1) response.setHeader("Connection", "close");
    try {
      if (!isWellAddressed(request)) return answerJson(response, 400, refusal("MALFORMED_FRAME", "the request names no host that could be understood"));
      if (crossOrigin.answer(request, response)) return;
      if (answerHealth(readiness, request, response)) return;
      if (metrics && answerMetrics(metrics, request, response)) return;
      const path = request.url?.split("?", 1)[0] ?? "";
      const route = routes.find((one) => one.matches(path));
      if (route) {
        if (draining) answerJson(response.setHeader("Retry-After", "1"), 503, draining);
        else void answerBy(route, request, response, endCalls.signal, logger);
        return;
      }
      if (calls.answer(request, response)) return;
      answerJson(response, 503, refusal("NO_SERVER", "this process serves no calls, or none so far"));
    } catch (error) {
      logger.error({ err: error, path: request.url }, "an HTTP request failed");
      response.destroy();
    }
  };

  const h1 = http.createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, headersTimeoutMs),
    },
    answer,
  );
  // It never listens by itself, and begins to look after its connections' time-outs when it does.
  h1.emit("listening");
  // Its compatible requests and responses are those of HTTP/1.1 in all that is used here.
  const h2 = http2.createServer({ settings: { maxConcurrentStreams: 1_000 } }, (request, response) =>
    answer(request as unknown as IncomingMessage, response as unknown as ServerResponse),
  );
  h2.on("session", (session) => {
    sessions.add(session);
    let streams = 0;
    session.on("stream", (stream) => {
      streams++;
      stream.once("close", () => streams--);
    });
    session.once("close", () => sessions.delete(session));
    session.on("error", (error) => logger.debug({ err: error }, "an HTTP/2 connection failed"));
    session.setTimeout(idleTimeoutMs, () => streams === 0 && session.close());
  });

  const { listener, sockets } = createProtocolFront({
    http1: (socket) => h1.emit("connection", socket),
    http2: (socket) => h2.emit("connection", socket),
    tls: options.tls,
    firstBytesWithinMs: headersTimeoutMs,
    logger,
  });
  const address = await listen(listener, options.listen, "--http-listen").catch((error: unknown) => {
    h1.close();
    throw error;
  });
  listener.on("error", (error) => logger.error({ err: error }, "the HTTP listener could not accept a connection"));

  const stops = stopsOf(async ({ graceMs, streamGraceMs, hurry }) => {
    const stopping = refusal("DRAINING", "the server is stopping");
    draining = stopping;
    calls.refuse(stopping);
    // Connections of HTTP/1.1 that are idle stay: a request may be on its way, and its response will say that it is the last.
    for (const response of active) response.shouldKeepAlive = false;
    for (const session of sessions) {
      // On Node 20 and 22, close alone says nothing to the client.
      session.goaway();
      session.close();
    }
    const idle = new Promise<void>((resolve) => {
      becameIdle = resolve;
      if (active.size === 0) resolve();
    });
    const over = Promise.race([idle, hurry]);
    await within(streamGraceMs, over);
    endStreams.abort(stopping);
    await within(graceMs - streamGraceMs, over);
    endCalls.abort(stopping);
    // What was just said needs a moment to reach the clients; whoever does not listen is not waited for.
    await within(250, Promise.all([idle, ...[...sessions].map((session) => new Promise((closed) => session.once("close", closed)))]));
  });
  return {
    address: localUrl(address, options.tls !== undefined),
    port: address.port,
    serve(services, authenticate, served = []) {
      routes = served;
      calls.serve(services, authenticate);
    },
    drain: stops.drain,
    async close() {
      await stops.close();
      if (!listener.listening) return;
      const closed = once(listener, "close");
      listener.close();
      for (const socket of sockets) socket.destroy();
      h1.close();
      await closed;
    },
  };
}

/** Connect makes a URL of host and path, and takes for granted that this can be done. */
function isWellAddressed(request: IncomingMessage): boolean {
  const authority = request.headers.host ?? (request.headers[":authority"] as string | undefined);
  return authority !== undefined && request.url?.startsWith("/") === true && URL.canParse(request.url, `http://${authority}`);
}
