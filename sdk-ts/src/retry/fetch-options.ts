import { defaultRetryOptions, type RetryOptions } from "../task/retry-options.js";
import type { EventFilter } from "./event-filter.js";
import type { ResetFormat } from "./reset-time.js";

/** Waits longer after each attempt, as a task's `retry` does. What is not given has the defaults of {@link RetryOptions}. */
export interface FetchRetryBackoffStrategy extends RetryOptions {
  strategy: "backoff";
  /** Only for responses whose body is JSON that fits. */
  bodyFilter?: EventFilter;
}

/** Waits until the time that a header of the response names. A response without it is not tried again. */
export interface FetchRetryHeadersStrategy {
  strategy: "headers";
  /** Header with the limit, for instance "x-ratelimit-limit". As in Trigger.dev it is for information only. */
  limitHeader: string;
  /** Header with what is left of the limit. For information only, too. */
  remainingHeader: string;
  /** Header that tells when the limit is reset. */
  resetHeader: string;
  /** Format of that header. Default "unix_timestamp_in_ms". */
  resetFormat?: ResetFormat;
  /** Only for responses whose body is JSON that fits. */
  bodyFilter?: EventFilter;
}

/** When a response that is not ok is asked for again. */
export type FetchRetryStrategy = FetchRetryBackoffStrategy | FetchRetryHeadersStrategy;

/** Strategies by status: "all", "429", "500-599", "5xx", "42x", or several with commas between. The first key that fits counts. */
export type FetchRetryByStatusOptions = Record<string, FetchRetryStrategy>;

/** When `retry.fetch` asks again. What is given for one of the three replaces its default as a whole. Ten attempts at most, whatever they say. */
export interface FetchRetryOptions {
  /** For responses that are not ok. Default: 408, 409, 429 and 5xx with backoff. */
  byStatus?: FetchRetryByStatusOptions;
  /** For connections that could not be made, or broke. Default: three attempts with backoff. */
  connectionError?: RetryOptions;
  /** For requests that took longer than `timeoutInMs`. Default: three attempts with backoff. */
  timeout?: RetryOptions;
}

/** What `fetch` takes, and when to ask again. */
export interface RetryFetchRequestInit extends RequestInit {
  retry?: FetchRetryOptions;
  /** How long each attempt may take until the headers of the response are there, in milliseconds. Default: no limit but `fetch`'s own. */
  timeoutInMs?: number;
}

/** The defaults, as in Trigger.dev. */
export const defaultFetchRetryOptions: Required<FetchRetryOptions> = {
  byStatus: { "429,408,409,5xx": { strategy: "backoff", ...defaultRetryOptions } },
  connectionError: defaultRetryOptions,
  timeout: defaultRetryOptions,
};
