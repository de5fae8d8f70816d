import type { IncomingMessage, ServerResponse } from "node:http";
import { createRegistry } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { type ConnectError, type ContextValues, createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { compressionGzip, universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "pino";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import type { Authenticate } from "../auth/principal.js";
import { refusal } from "../errors.js";
import type { GrpcService } from "../grpc/grpc-service.js";
import { admitted, callGuard, notAdmitted, refusedBy } from "./call-guard.js";
import { completed } from "./error-completion.js";

/** Options of {@link RpcRequests}. */
export interface RpcRequestsOptions {
  readonly logger: Logger;
  /** Largest message that is accepted, in bytes. */
  readonly maxReceiveBytes: number;
  /** Aborted when unary calls have to end. */
  readonly endCalls: AbortSignal;
  /** Aborted when streams have to end. */
  readonly endStreams: AbortSignal;
}

/** An error in a message, of one item among many, carries its details as `Any`: JSON can be made of those whose type is known. */
const jsonOptions = { registry: createRegistry(file_google_rpc_error_details) };

/** Finds out who calls, by the header `authorization`. */
type Admit = (authorization: string | undefined) => ContextValues;

/** Serves calls in Connect, gRPC-Web and gRPC, with the same handlers as the gRPC listener. */
export class RpcRequests {
  readonly #options: RpcRequestsOptions;
  readonly #handlers = new Map<string, { handler: UniversalHandler; admit: Admit }>();
  #refusal: ConnectError | undefined;

  constructor(options: RpcRequestsOptions) {
    this.#options = options;
  }

  /** Serves these from now on. `authenticate` is called once for each call that needs a key, before its body is read. */
  serve(services: readonly GrpcService[], authenticate: Authenticate): void {
    const { logger, maxReceiveBytes, endCalls, endStreams } = this.#options;
    const common = { interceptors: [callGuard(logger)], readMaxBytes: maxReceiveBytes, acceptCompression: [compressionGzip], jsonOptions };
    for (const { service, implementation, withoutKey = false } of services) {
      const admit: Admit = withoutKey ? createContextValues : (authorization) => admitted(authorization, authenticate, logger);
      for (const [isStream, shutdownSignal] of [
        [false, endCalls],
        [true, endStreams],
      ] as const) {
        for (const handler of createConnectRouter({ ...common, shutdownSignal }).service(service, implementation).handlers) {
          if ((handler.method.methodKind !== "unary") === isStream) this.#handlers.set(handler.requestPath, { handler, admit });
        }
      }
    }
  }

  /** Lets nobody in any more: calls are answered with this. */
  refuse(error: ConnectError): void {
    this.#refusal = error;
  }

  /** Answers a call. Returns false if the request is for no method that is served. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const served = this.#handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (served === undefined) return false;
    const values = this.#refusal ? notAdmitted(this.#refusal) : served.admit(request.headers.authorization);
    this.#call(served.handler, request, response, values).catch((error: unknown) => {
      // The client is gone, or the response could not be written: there is nobody to tell.
      this.#options.logger.debug({ err: error, path: request.url }, "a response could not be written");
      response.destroy();
    });
    return true;
  }

  async #call(handler: UniversalHandler, request: IncomingMessage, response: ServerResponse, values: ContextValues): Promise<void> {
    const call = universalRequestFromNodeRequest(request, response, undefined, values);
    const refused = refusedBy(values);
    // Whoever is not let in is told so in place of a body that is read: also where the handler would parse the body first.
    if (refused && request.method === "POST") call.body = refusing(refused);
    if (isUnreadableUrl(request)) {
      const fault = refusal("MALFORMED_FRAME", "the message in the URL is not base64, though the URL says so");
      const header = new Headers({ "content-type": "application/json" });
      return universalResponseToNodeResponse({ status: 400, header, body: only(errorToJsonBytes(fault, undefined)) }, response);
    }
    const answer = await handler(call);
    await universalResponseToNodeResponse(answer.body === undefined ? withWords(answer, handler, request) : await completed(answer), response);
  }
}

/** Connect takes for granted that what is called base64 in the URL of a GET is base64. */
function isUnreadableUrl({ method, url = "" }: IncomingMessage): boolean {
  if (method !== "GET") return false;
  const query = new URLSearchParams(url.slice(url.indexOf("?")));
  if (query.get("base64") !== "1") return false;
  try {
    base64Decode(query.get("message") ?? "");
    return false;
  } catch {
    return true;
  }
}

// biome-ignore lint/correctness/useYield: it ends before its first message, with the error
async function* refusing(error: ConnectError): AsyncIterable<Uint8Array> {
  throw error;
}

/** Connect refuses what is not its protocol by a bare status. */
function withWords(response: UniversalServerResponse, handler: UniversalHandler, request: IncomingMessage): UniversalServerResponse {
  const header = new Headers(response.header);
  header.set("content-type", "application/json");
  return { ...response, header, body: only(errorToJsonBytes(faultOf(response.status, handler, request), undefined)) };
}

function faultOf(status: number, { allowedMethods }: UniversalHandler, request: IncomingMessage): ConnectError {
  switch (status) {
    case 405:
      return refusal("MALFORMED_FRAME", `the method is called by ${allowedMethods.join(" or ")}, not by ${request.method}`);
    case 415:
      return refusal(
        "MALFORMED_FRAME",
        `"${request.headers["content-type"] ?? ""}" is no content type of this method: unary calls are application/json or application/proto, streams application/connect+json or +proto`,
      );
    case 505:
      return refusal("UNIMPLEMENTED", "a bidirectional stream needs HTTP/2");
    default:
      return refusal("UNIMPLEMENTED", `the call was answered with the HTTP status ${status}`);
  }
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
