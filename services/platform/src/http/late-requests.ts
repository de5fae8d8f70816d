import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import type { Authenticate } from "../auth/principal.js";
import type { GrpcService } from "../grpc/grpc-service.js";
import type { RpcRequests, RpcRequestsOptions } from "./rpc-requests.js";
import { answerUnknown } from "./unknown-path.js";

/**
 * {@link RpcRequests}, made when somebody first calls by HTTP: connect-node and its handlers take a server that comes back a twentieth of a second, and most callers, the SDK and workers among
 * them, speak gRPC.
 */
export class LateRequests {
  readonly #options: RpcRequestsOptions;
  #served: { services: readonly GrpcService[]; authenticate: Authenticate } | undefined;
  #refusal: ConnectError | undefined;
  #requests: RpcRequests | undefined;
  #making: Promise<RpcRequests> | undefined;

  constructor(options: RpcRequestsOptions) {
    this.#options = options;
  }

  /** Serves these from now on. */
  serve(services: readonly GrpcService[], authenticate: Authenticate): void {
    this.#served = { services, authenticate };
  }

  /** Lets nobody in any more: calls are answered with this. */
  refuse(error: ConnectError): void {
    this.#refusal = error;
    this.#requests?.refuse(error);
  }

  /** Answers a call, also one of a method that there is not. Returns false if nothing is served so far. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#served) return false;
    if (this.#requests) this.#answer(this.#requests, request, response);
    else {
      this.#making ??= this.#make(this.#served);
      this.#making
        .then((requests) => this.#answer(requests, request, response))
        .catch((error: unknown) => {
          this.#options.logger.error({ err: error, path: request.url }, "an HTTP request failed");
          response.destroy();
        });
    }
    return true;
  }

  #answer(requests: RpcRequests, request: IncomingMessage, response: ServerResponse): void {
    if (!requests.answer(request, response)) answerUnknown(request, response);
  }

  async #make({ services, authenticate }: { services: readonly GrpcService[]; authenticate: Authenticate }): Promise<RpcRequests> {
    const { RpcRequests } = await import("./rpc-requests.js");
    const requests = new RpcRequests(this.#options);
    requests.serve(services, authenticate);
    if (this.#refusal) requests.refuse(this.#refusal);
    this.#requests = requests;
    return requests;
  }
}
