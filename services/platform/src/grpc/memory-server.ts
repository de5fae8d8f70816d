import { type ConnectError, createContextValues, createRouterTransport, createServiceImplSpec, type Transport } from "@connectrpc/connect";
import type { Logger } from "pino";
import { type Principal, principalKey } from "../auth/principal.js";
import { CallContext } from "../call-context.js";
import { refusal, refusalOf } from "../errors.js";
import { errorOf, statusOf } from "../status.js";
import { callbackFormOf } from "./bidi-stream.js";
import type { GrpcService } from "./grpc-service.js";
import { type MemoryStream, type MemoryStreamListener, openMemoryStream, type StreamMethod } from "./memory-stream.js";

/** Options of {@link createMemoryServer}. */
export interface MemoryServerOptions {
  /** Who all callers are: there is no key to tell them apart by. */
  readonly principal: Principal;
  /** Gets defects of handlers. */
  readonly logger: Logger;
}

/** Serves the public services to clients in the same process: no port, and the same encoded messages as over a network. */
export interface MemoryServer {
  /** For generated clients. */
  readonly transport: Transport;
  /**
   * Opens a bidirectional stream by its path, `/<service>/<method>`. Failures come as `onClose`, never before this returns: UNIMPLEMENTED for a path that nobody serves.
   */
  openStream(path: string, listener: MemoryStreamListener): MemoryStream;
}

/** Makes a server of services that is reached by function calls. */
export function createMemoryServer(services: readonly GrpcService[], { principal, logger }: MemoryServerOptions): MemoryServer {
  const transport = createRouterTransport(
    (router) => {
      for (const { service, implementation } of services) router.service(service, implementation);
    },
    {
      router: {
        interceptors: [
          (next) => async (request) => {
            request.contextValues.set(principalKey, principal);
            try {
              return await next(request);
            } catch (error) {
              throw asReceived(refusalOf(error, logger, request.url));
            }
          },
        ],
      },
    },
  );
  const methods = new Map(services.flatMap(streamMethodsOf));
  return {
    transport,
    openStream(path, listener) {
      const method = methods.get(path);
      if (!method) return refusedStream(listener, asReceived(refusal("UNIMPLEMENTED", `${path} is no stream that is served here`)));
      const context = new CallContext({ method: method.desc, protocolName: "memory", values: createContextValues().set(principalKey, principal) });
      return openMemoryStream(method, context, listener, (error) => asReceived(refusalOf(error, logger, path)));
    },
  };
}

function streamMethodsOf({ service, implementation }: GrpcService): [string, StreamMethod][] {
  return Object.values(createServiceImplSpec(service, implementation).methods).flatMap(({ method }) => {
    const given = (implementation as Record<string, object | undefined>)[method.localName];
    const form = given && callbackFormOf(given);
    return form && method.methodKind === "bidi_streaming" ? [[`/${service.typeName}/${method.name}`, { desc: method, ...form }]] : [];
  });
}

function refusedStream(listener: MemoryStreamListener, error: ConnectError): MemoryStream {
  queueMicrotask(() => listener.onClose(error));
  return { send: () => false, end() {}, cancel() {} };
}

/** An error as a client sees it that was sent over a network: with the details, without what lies underneath. */
function asReceived(error: ConnectError): ConnectError {
  return errorOf(statusOf(error));
}
