import { taskRegistry } from "../runtime/task-registry.js";
import { periodMs } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { checkSlots, isName, nameRule } from "./limit-rules.js";

/** How many runs may start in a time: a bucket of `burst` tokens that fills with `limit` tokens a `period`; a run takes as many as its `weight`, which is 1 if its trigger does not say. */
export interface RateLimitOptions {
  /** 1 to 1,000,000. */
  limit: number;
  /** A text like "1s", "10m" or "1h30m", or milliseconds; 100 ms to 366 days. */
  period: string | number;
  /** Starts at once when nothing has started for long, 1 to 1,000,000. Default: `limit`. */
  burst?: number;
}

/** What `queue` takes. */
export interface QueueOptions {
  /** 1 to 128 characters of letters, digits and "_-./:". */
  name: string;
  /** Runs that may execute at once of each `concurrencyKey`, 0 to 100,000; runs without a key share one such limit. Waiting runs do not count. Default: no limit. */
  concurrencyLimit?: number;
  /** Runs that may execute at once over all keys, 0 to 100,000. Default: no limit. Ours. */
  totalConcurrencyLimit?: number;
  /** Starts of the whole queue. Default: no limit. Ours. */
  rateLimit?: RateLimitOptions;
  /** Starts of each `concurrencyKey`; runs without a key share one such limit. Default: no limit. Ours. */
  rateLimitPerKey?: RateLimitOptions;
}

/** A rate limit as manifests have it. */
export interface DeclaredRate {
  readonly limit: number;
  readonly periodMs: number;
  /** 0: as `limit`. */
  readonly burst: number;
}

/** A queue as manifests have it. */
export interface DeclaredQueue {
  readonly name: string;
  readonly concurrencyLimit?: number | undefined;
  readonly totalLimit?: number | undefined;
  readonly rateLimit?: DeclaredRate | undefined;
  readonly keyRateLimit?: DeclaredRate | undefined;
}

/** Marks what `queue` returns, as Trigger.dev does. */
const tag = Symbol.for("trigger.dev/queue");
const mostStarts = 1_000_000;
const leastPeriodMs = 100;
const longestPeriodMs = 366 * 86_400_000;

/**
 * Declares a queue that tasks share: `task({ queue: mails, … })`, or by its name. Workers find it when the module is loaded.
 *
 * ```ts
 * export const mails = queue({ name: "mails", concurrencyLimit: 10, rateLimit: { limit: 100, period: "1m" } });
 * ```
 *
 * @throws Error for a name or a number that breaks its rule.
 */
export function queue<TOptions extends QueueOptions>(options: TOptions): TOptions {
  taskRegistry().queues.push(declaredQueue(`queue ${JSON.stringify(options.name)}`, options));
  return Object.defineProperty(options, tag, { value: true });
}

/** Whether `queue` made this. */
export function isQueue(value: object): boolean {
  return tag in value;
}

/** What the options of a queue come to. @throws Error for one that breaks its rule. `where` begins the message. */
export function declaredQueue(where: string, options: QueueOptions): DeclaredQueue {
  const known = ["name", "concurrencyLimit", "totalConcurrencyLimit", "rateLimit", "rateLimitPerKey"] satisfies (keyof QueueOptions)[];
  refuseUnsupported(where, options, known);
  const { name, concurrencyLimit, totalConcurrencyLimit, rateLimit, rateLimitPerKey } = options;
  if (!isName(name)) throw new Error(`${where}: the name of a queue ${nameRule}`);
  checkSlots(`${where}: concurrencyLimit`, concurrencyLimit);
  checkSlots(`${where}: totalConcurrencyLimit`, totalConcurrencyLimit);
  return {
    name,
    concurrencyLimit,
    totalLimit: totalConcurrencyLimit,
    rateLimit: rateLimit && declaredRate(`${where}: rateLimit`, rateLimit),
    keyRateLimit: rateLimitPerKey && declaredRate(`${where}: rateLimitPerKey`, rateLimitPerKey),
  };
}

function declaredRate(where: string, options: RateLimitOptions): DeclaredRate {
  refuseUnsupported(where, options, ["limit", "period", "burst"] satisfies (keyof RateLimitOptions)[]);
  const { limit, period, burst = 0 } = options;
  const ms = typeof period === "number" ? period : periodMs(period);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostStarts) throw new Error(`${where}: limit must be a whole number from 1 to 1,000,000`);
  if (!(ms >= leastPeriodMs && ms <= longestPeriodMs)) throw new Error(`${where}: period must be 100 ms to 366 days`);
  if (options.burst !== undefined && (!Number.isInteger(burst) || burst < 1 || burst > mostStarts)) {
    throw new Error(`${where}: burst must be a whole number from 1 to 1,000,000`);
  }
  return { limit, periodMs: ms, burst };
}
