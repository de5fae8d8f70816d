import { create } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { type InternalTransport, oneWay } from "@runlane/platform";

/** A transport that loses one-way calls, as a network may: the caller hears nothing of it. Calls that are answered arrive. */
export interface LossyTransport extends InternalTransport {
  /** One-way calls that were lost, by the name of their method. */
  readonly lost: Map<string, number>;
}

/** Makes one over `transport`; `loses` is asked for each one-way call, by the name of its method. */
export function lossyTransport(transport: InternalTransport, loses: (method: string) => boolean): LossyTransport {
  const lost = new Map<string, number>();
  return {
    lost,
    serve: (address, service, implementation) => transport.serve(address, service, implementation),
    close: () => transport.close(),
    to(address): Transport {
      const inner = transport.to(address);
      return {
        unary(method, signal, timeoutMs, header, input, contextValues) {
          if (!contextValues?.get(oneWay) || !loses(method.name)) return inner.unary(method, signal, timeoutMs, header, input, contextValues);
          lost.set(method.name, (lost.get(method.name) ?? 0) + 1);
          const nothing = { header: new Headers(), trailer: new Headers(), message: create(method.output) };
          return Promise.resolve({ stream: false as const, service: method.parent, method, ...nothing });
        },
        stream: (method, signal, timeoutMs, header, input, contextValues) => inner.stream(method, signal, timeoutMs, header, input, contextValues),
      };
    },
  };
}
