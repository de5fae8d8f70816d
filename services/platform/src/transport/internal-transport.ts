import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl, Transport } from "@connectrpc/connect";
import { createContextKey } from "@connectrpc/connect";

/**
 * How services call each other: generated clients on one side, generated handlers on the other, encoded frames between.
 *
 * Two implementations pass the same frames: memory, for services in one process, and NATS. `internal-transport.suite.ts` is the behaviour that both
 * share, so that only `main` chooses. Unary methods only; headers do not cross. An error crosses with its code, message and details. Calls from one transport
 * to one address arrive in the order they were made, whatever their methods. A request or response above about 1 MiB is refused with FRAME_TOO_LARGE.
 */
export interface InternalTransport {
  /** Serves `service` at `address` until closed. An address has one server at a time. Handlers see the caller's deadline in `context.signal`. */
  serve<S extends DescService>(address: string, service: S, implementation: ServiceImpl<S>): Promise<Served>;

  /**
   * A transport to whoever serves `address`, for `createClient`. Costs nothing; may be made before the server exists. A call to an address without a
   * server fails at once with UNAVAILABLE and reason NO_SERVER. Calls carry `timeoutMs` (default 5,000).
   */
  to(address: string): Transport;

  /** Stops serving and fails what is pending with UNAVAILABLE. */
  close(): Promise<void>;
}

/** Something served; closing it stops taking calls and waits for those under way. */
export interface Served {
  close(): Promise<void>;
}

/**
 * Set to true in the context values of a call (`{ contextValues: createContextValues().set(oneWay, true) }`) that expects no answer: the call resolves with an empty response as soon as the frame has left,
 * in order with other one-way calls to the same address. Whether it arrives is not known.
 */
export const oneWay = createContextKey(false, { description: "one way: resolve when the frame has left" });
