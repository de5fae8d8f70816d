import { setTimeout as sleep } from "node:timers/promises";
import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createBackoff } from "./backoff.js";
import type { ConnectionSource } from "./connection-source.js";
import type { GrpcConnection } from "./grpc-connection.js";
import { errorInfoOf, retryDelayOf } from "./grpc-error.js";
import { unreachableError } from "./unreachable.js";

/**
 * Repeats unary calls that are safe to repeat while the server is away or asks to come again: code UNAVAILABLE only, with full jitter, not before the server's
 * RetryInfo, and until `timeoutMs` have passed (`firstContactMs` as long as no call has ever been answered). Streams are their callers' to repeat; the next
 * one after a failure looks up the server anew.
 */
export function createRetryingTransport(transport: Transport, connections: ConnectionSource, { timeoutMs = 60_000, firstContactMs = 10_000 } = {}): Transport {
  let contacted = false;
  return {
    async stream(...call) {
      const connection = connections.current();
      const response = await transport.stream(...call);
      return { ...response, message: renewOnFailure(response.message, connections, connection) };
    },
    async unary(method, signal, callTimeoutMs, header, input, contextValues) {
      const start = performance.now();
      const backoff = createBackoff();
      for (;;) {
        const connection = connections.current();
        try {
          const response = await transport.unary(method, signal, callTimeoutMs, header, input, contextValues);
          contacted = true;
          return response;
        } catch (caught) {
          const error = ConnectError.from(caught);
          const answered = errorInfoOf(error) !== undefined;
          contacted ||= answered;
          const moved = isMovable(error, answered) && connections.renew(connection);
          const again = error.code === Code.Unavailable || (error.code === Code.Unauthenticated && moved);
          if (!again || !isRepeatable(method, input)) throw error;
          const delay = Math.max(backoff.next(), retryDelayOf(error) ?? 0);
          const limit = Math.min(contacted ? timeoutMs : firstContactMs, timeoutMs, callTimeoutMs ?? timeoutMs);
          const triedMs = performance.now() - start;
          if (triedMs + delay > limit) {
            throw answered ? error : unreachableError({ address: connection.address.text, triedMs, connected: false, contacted, lastError: error });
          }
          await sleep(delay, undefined, { signal }).catch((reason: unknown) => {
            throw ConnectError.from(reason);
          });
        }
      }
    },
  };
}

async function* renewOnFailure<T>(messages: AsyncIterable<T>, connections: ConnectionSource, connection: GrpcConnection): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (caught) {
    const error = ConnectError.from(caught);
    if (isMovable(error, errorInfoOf(error) !== undefined)) connections.renew(connection);
    throw error;
  }
}

// The server may have come back elsewhere, or with another key.
function isMovable(error: ConnectError, answered: boolean): boolean {
  return error.code === Code.Unauthenticated || (error.code === Code.Unavailable && !answered);
}

function isRepeatable<I extends DescMessage>(method: DescMethodUnary<I>, input: MessageInitShape<I>): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  // A method that has request ids is idempotent only with one.
  return (
    method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT && (!method.input.field.requestId || Boolean((input as { requestId?: string }).requestId))
  );
}
