import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { homeClient } from "../client/runlane-client.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import { currentRunRuntime, type RunRuntime } from "../runtime/run-runtime.js";
import { periodOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { timeoutError } from "./token-object.js";
import { completeToken, createdToken, createToken, idOf, listTokens, outputOf, retrieveToken } from "./tokens.js";
import { ManualWaitpointPromise } from "./waitpoint-promise.js";

/** What waits for a time may say besides. */
export interface CommonWaitOptions {
  /** A wait with a key that was used before is the wait of then: if that has ended, it ends at once. Global: not part of the run. */
  idempotencyKey?: string;
  /** How long the key is kept: a text like "1h". Default and at most 30 days. */
  idempotencyKeyTTL?: string;
}

/** A length of time. A month has 30 days, a year 365, as in Trigger.dev. */
export type WaitPeriod =
  | { seconds: number }
  | { minutes: number }
  | { hours: number }
  | { days: number }
  | { weeks: number }
  | { months: number }
  | { years: number };

/** What `wait.for` takes. */
export type WaitForOptions = WaitPeriod & CommonWaitOptions;

/** What `wait.until` takes. */
export interface WaitUntilOptions extends CommonWaitOptions {
  /** 10 years ahead at most. */
  date: Date;
  /** A time that has passed is an error, instead of the end of the wait. Default false. */
  throwIfInThePast?: boolean;
}

const unitMs = {
  seconds: 1_000,
  minutes: 60_000,
  hours: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
  months: 2_592_000_000,
  years: 31_536_000_000,
} as const;

async function waitFor(options: WaitForOptions): Promise<void> {
  const runtime = runtimeOf("wait.for");
  refuseUnsupported("wait.for", options, [...Object.keys(unitMs), "idempotencyKey", "idempotencyKeyTTL"]);
  const ms = periodOf(options);
  if (options.idempotencyKey) await waitForKey(runtime, "wait.for", ms, options.idempotencyKey, options.idempotencyKeyTTL);
  else await runtime.waitForTime({ ms }).catch(throwApiError);
}

async function waitUntilDate(options: WaitUntilOptions): Promise<void> {
  const runtime = runtimeOf("wait.until");
  refuseUnsupported("wait.until", options, ["date", "throwIfInThePast", "idempotencyKey", "idempotencyKeyTTL"] satisfies (keyof WaitUntilOptions)[]);
  const { date, throwIfInThePast = false, idempotencyKey, idempotencyKeyTTL } = options;
  const until = date instanceof Date ? date.getTime() : Number.NaN;
  if (Number.isNaN(until)) throw new Error("wait.until: date must be a Date");
  if (idempotencyKey) await waitForKey(runtime, "wait.until", until - Date.now(), idempotencyKey, idempotencyKeyTTL);
  else await runtime.waitForTime({ until, refusesPast: throwIfInThePast }).catch(throwApiError);
}

/** A wait for a time that a key finds again is a wait for a token that nobody completes. */
async function waitForKey(runtime: RunRuntime, where: string, ms: number, idempotencyKey: string, ttl: string | undefined): Promise<void> {
  const idempotencyKeyTtl = ttl === undefined ? undefined : periodOption(`${where}: idempotencyKeyTTL`, ttl);
  const timeout = durationFromMs(Math.max(1, Math.ceil(ms)));
  const { id } = await createdToken({ timeout, idempotencyKey, ...(idempotencyKeyTtl ? { idempotencyKeyTtl } : {}), timer: true });
  await runtime.waitForToken(id).catch(throwApiError);
}

function forToken<T>(token: string | { id: string }): ManualWaitpointPromise<T> {
  return new ManualWaitpointPromise((resolve, reject) => {
    const runtime = runtimeOf("wait.forToken");
    runtime
      .waitForToken(idOf(token))
      .then(async ({ timedOut, output }) => {
        if (timedOut) resolve({ ok: false, error: timeoutError() });
        else resolve({ ok: true, output: (await outputOf(homeClient(), output)) as T });
      })
      .catch((error: unknown) => reject(apiErrorOf(error)));
  });
}

/**
 * Waits that hold no slot: the run is WAITING, and goes on when the wait has ended and its queue has room, on another worker if its own is gone. Waits of at most 5 s sleep in the process and
 * keep the slot. Several may be under way at once, which Trigger.dev forbids.
 */
export const wait = {
  /** Waits for a length of time, 366 days at most. @throws Error outside a run, or for a time that is none. */
  for: waitFor,
  /** Waits until a time; one that has passed ends the wait at once. @throws Error outside a run; with `throwIfInThePast` for a time that has passed. */
  until: waitUntilDate,
  /**
   * Creates a token: runs wait for it with `wait.forToken` until somebody completes it, with `wait.completeToken` or at its `url`. From anywhere.
   *
   * @throws BadRequestError for options that break their rules; ApiError if the server cannot be reached.
   */
  createToken,
  /**
   * Waits for a token; it may be completed already. `ok` is false if it has timed out. Several runs may wait for one.
   *
   * @throws Error outside a run; NotFoundError if there is no such token.
   */
  forToken,
  /**
   * Completes a token with what those get who wait for it. One that was completed before, or has timed out, stays as it is, and that is no error. From anywhere.
   *
   * @throws NotFoundError if there is no such token; ApiError if the server cannot be reached.
   */
  completeToken,
  /** Lists tokens, newest first: await it for a page, or iterate with `for await` over all of them. @throws BadRequestError for a filter that cannot be; ApiError. */
  listTokens,
  /** Reads a token. @throws NotFoundError if there is none; ApiError if the server cannot be reached. */
  retrieveToken,
};

function runtimeOf(what: string): RunRuntime {
  const runtime = currentRunRuntime();
  if (runtime === undefined) throw new Error(`${what} can only be used from inside a task.run()`);
  return runtime;
}

function periodOf(options: WaitForOptions): number {
  for (const [unit, ms] of Object.entries(unitMs)) {
    const count = (options as unknown as Record<string, unknown>)[unit];
    if (count === undefined) continue;
    if (typeof count !== "number" || !Number.isFinite(count) || count < 0) throw new Error(`wait.for: ${unit} must be a number that is not negative`);
    return count * ms;
  }
  throw new Error(`wait.for: one of ${Object.keys(unitMs).join(", ")} must be given`);
}
