import { retryDelay } from "../task/retry-options.js";
import { eventFilterMatches } from "./event-filter.js";
import { defaultFetchRetryOptions, type FetchRetryByStatusOptions, type FetchRetryStrategy, type RetryFetchRequestInit } from "./fetch-options.js";
import { pauseSignal, pauseUntil } from "./pause.js";
import { resetTime } from "./reset-time.js";
import { isStatusInRange } from "./status-range.js";

/** Attempts, whatever the options say; Trigger.dev's number. */
const mostAttempts = 10;

/** What an attempt came to, when it came to no response. */
interface FailedRequest {
  readonly kind: "timeout" | "connectionError" | "other";
  readonly error: unknown;
}

/**
 * `fetch` that asks again: after a response of certain statuses, a broken connection, or when it took too long. See {@link RetryFetchRequestInit}. Each attempt carries its number, from 1, in
 * the header `x-retry-count`.
 *
 * The last response is returned, whatever its status; it throws only if there is none. Between attempts it sleeps in the process, and the run keeps its slot. Works outside a run, too.
 *
 * @throws what `fetch` throws; a TimeoutError after `timeoutInMs`; the reason of `init.signal`, at once
 */
export async function retryFetch(input: string | URL | Request, init: RetryFetchRequestInit = {}): Promise<Response> {
  const { retry, timeoutInMs, ...request } = init;
  const signal = pauseSignal();
  for (let attempt = 1; ; attempt += 1) {
    const result = await ask(input, request, timeoutInMs, attempt);
    const again = attempt < mostAttempts;
    if (result instanceof Response) {
      if (result.ok || !again) return result;
      const next = await timeOfNext(result, retry?.byStatus ?? defaultFetchRetryOptions.byStatus, attempt);
      if (next === undefined) return result;
      // A body that nobody reads would hold its connection.
      await result.body?.cancel().catch(() => {});
      await pauseUntil(next, signal);
    } else {
      const { kind, error } = result;
      const options = kind === "other" ? undefined : (retry?.[kind] ?? defaultFetchRetryOptions[kind]);
      const delay = options && again ? retryDelay(options, attempt) : undefined;
      if (delay === undefined) throw error;
      await pauseUntil(Date.now() + delay, signal);
    }
  }
}

async function ask(input: string | URL | Request, init: RequestInit, timeoutInMs: number | undefined, attempt: number): Promise<Response | FailedRequest> {
  const isRequest = input instanceof Request;
  const given = init.signal ?? (isRequest ? input.signal : undefined);
  const headers = new Headers(init.headers ?? (isRequest ? input.headers : undefined));
  headers.set("x-retry-count", String(attempt));
  const timer = timeoutInMs ? new Timeout(timeoutInMs) : undefined;
  const signals = [given, timer?.signal].filter((signal) => signal !== undefined && signal !== null);
  try {
    // The body of a Request can be read once only.
    return await fetch(isRequest ? input.clone() : input, { ...init, headers, signal: signals.length > 1 ? AbortSignal.any(signals) : (signals[0] ?? null) });
  } catch (error) {
    if (given?.aborted) return { kind: "other", error };
    if (timer?.signal.aborted) return { kind: "timeout", error: timer.signal.reason };
    // As fetch has it: what it can not even try has no cause, but for a text that is no URL.
    const isConnection = error instanceof TypeError && error.cause instanceof Error && !("input" in error.cause);
    return { kind: isConnection ? "connectionError" : "other", error };
  } finally {
    timer?.stop();
  }
}

/** A signal that is aborted after a time. Unlike AbortSignal.timeout it can be stopped, so that a body may take its time. */
class Timeout {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    const abort = () => this.#controller.abort(new DOMException(`there was no response within ${ms} ms`, "TimeoutError"));
    this.#timer = setTimeout(abort, ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** When to ask again after a response that is not ok, in milliseconds of the Unix epoch; undefined for never. */
async function timeOfNext(response: Response, byStatus: FetchRetryByStatusOptions, attempt: number): Promise<number | undefined> {
  const strategy = await strategyFor(response, byStatus);
  if (strategy === undefined) return undefined;
  const now = Date.now();
  if (strategy.strategy === "backoff") {
    const delay = retryDelay(strategy, attempt);
    return delay === undefined ? undefined : now + delay;
  }
  const reset = response.headers.get(strategy.resetHeader);
  return reset === null ? undefined : resetTime(reset, strategy.resetFormat ?? "unix_timestamp_in_ms", now);
}

async function strategyFor(response: Response, byStatus: FetchRetryByStatusOptions): Promise<FetchRetryStrategy | undefined> {
  let body: { readonly json: unknown } | undefined;
  for (const [range, strategy] of Object.entries(byStatus)) {
    if (!strategy || !isStatusInRange(response.status, range)) continue;
    if (strategy.bodyFilter === undefined) return strategy;
    // Whoever gets the response may want to read it, too.
    body ??= { json: await jsonOf(response.clone()) };
    if (body.json !== undefined && eventFilterMatches(body.json, strategy.bodyFilter)) return strategy;
  }
  return undefined;
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return (await response.json()) ?? undefined;
  } catch {
    return undefined;
  }
}
