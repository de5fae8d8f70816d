import { Code, ConnectError, type ContextValues, createContextKey, createContextValues, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { type Authenticate, principalKey } from "../auth/principal.js";
import { reasonOf, refusal, refusalOf } from "../errors.js";
import { fitted, readable } from "../status.js";
import { protocolFault } from "./protocol-fault.js";

/** Why a call is not let in; undefined if it is. */
const refusedKey = createContextKey<ConnectError | undefined>(undefined, { description: "refused" });

/** Finds out who calls before anything else of the call is read: the context values that its handler sees. */
export function admitted(authorization: string | undefined, authenticate: Authenticate, logger: Logger): ContextValues {
  try {
    return createContextValues().set(principalKey, authenticate(authorization));
  } catch (error) {
    return notAdmitted(refusalOf(error, logger, "authentication"));
  }
}

/** The context values of a call that is not let in. */
export function notAdmitted(error: ConnectError): ContextValues {
  return createContextValues().set(refusedKey, error);
}

/** Why a call with these values is not let in. */
export function refusedBy(values: ContextValues): ConnectError | undefined {
  return values.get(refusedKey);
}

/**
 * What every call passes through on its way to a handler, as on the gRPC listener: who was not let in is refused; a handler's error becomes what the caller may hear of it; and a call
 * that is over, by its deadline or because the server stops, ends at once, whatever its handler waits for.
 */
export function callGuard(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const refused = refusedBy(request.contextValues);
    if (refused) throw refused;
    const { signal } = request;
    const heard = (error: unknown) =>
      readable(fitted(refusalOf(signal.aborted ? endOf(signal) : error, logger, `${request.service.typeName}/${request.method.name}`)));
    try {
      const response = await orOver(next(request.stream ? { ...request, message: legible(request.message) } : request), signal);
      return response.stream ? { ...response, message: guarded(response.message, signal, heard) } : response;
    } catch (error) {
      throw heard(error);
    }
  };
}

/** The messages of a client's stream. What cannot be read of it is the client's fault: as Connect says it, it would pass for a defect of the handler that reads. */
async function* legible<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw protocolFault(error) ?? error;
  }
}

async function* guarded<T>(messages: AsyncIterable<T>, signal: AbortSignal, heard: (error: unknown) => ConnectError): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await orOver(iterator.next(), signal);
      if (result.done) return;
      yield result.value;
    }
  } catch (error) {
    throw heard(error);
  } finally {
    // Not waited for: a generator that is parked on an await ends when that await does.
    iterator.return?.().catch(() => {});
  }
}

/** Waits for `work`, but not longer than the call lasts. */
async function orOver<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const over = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Why the call is over. Connect has words of its own for a deadline, and none for a client that went away. */
function endOf(signal: AbortSignal): unknown {
  const { reason } = signal;
  if (reasonOf(reason) !== undefined) return reason;
  const { code } = ConnectError.from(reason, Code.Canceled);
  return code === Code.DeadlineExceeded
    ? refusal("DEADLINE_EXCEEDED", "the call took longer than its deadline")
    : new ConnectError("the client went away", Code.Canceled);
}
