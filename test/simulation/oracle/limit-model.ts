import type { LimitChange } from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import type { ConcurrencyLimitDeclaration, QueueDeclaration, RateLimit } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

/** A limit as code declares it, and as somebody has overridden it. */
export class Bound {
  base: number | undefined;
  override: number | undefined;

  get current(): number {
    return this.override ?? this.base ?? Number.POSITIVE_INFINITY;
  }

  change(change: LimitChange | undefined): void {
    if (change?.change.case === "override") this.override = change.change.value;
    else if (change?.change.case === "reset") this.override = undefined;
  }
}

/** A token bucket. Counts in tokens and milliseconds; it is compared with a tolerance. */
export class Bucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(rate: RateLimit, nowMs: number) {
    this.#burst = rate.burst || rate.limit;
    this.#perMs = rate.limit / (Number(rate.period?.seconds ?? 0n) * 1_000 + (rate.period?.nanos ?? 0) / 1e6);
    this.#tokens = this.#burst;
    this.#atMs = nowMs;
  }

  /** Whether a run of this weight may start now; `lateMs` asks whether it might have that long ago. */
  has(weight: number, nowMs: number, lateMs = 0): boolean {
    const tolerance = lateMs > 0 ? -1e-3 : 1e-3;
    return this.#level(nowMs - lateMs) + tolerance >= Math.min(weight, this.#burst);
  }

  /** Takes tokens, or gives them back when `weight` is negative. */
  take(weight: number, nowMs: number): void {
    this.#tokens = this.#level(nowMs) - weight;
    this.#atMs = Math.max(this.#atMs, nowMs);
  }

  #level(nowMs: number): number {
    return Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
  }
}

/** A queue. */
export class QueueModel {
  /** A worker declared it, or it is the queue of a task that one declared. */
  known = false;
  /** A worker declared it by itself: what tasks say of it counts no longer. */
  declared = false;
  paused = false;
  readonly perKey = new Bound();
  total: number | undefined;
  rate: RateLimit | undefined;
  keyRate: RateLimit | undefined;
  bucket: Bucket | undefined;
  readonly keyBuckets = new Map<string, Bucket>();

  declare(declaration: QueueDeclaration, nowMs: number): void {
    this.known = true;
    this.declared = true;
    this.perKey.base = declaration.concurrencyLimit;
    this.total = declaration.totalLimit;
    if (!sameRate(this.rate, declaration.rateLimit)) this.bucket = declaration.rateLimit && new Bucket(declaration.rateLimit, nowMs);
    if (!sameRate(this.keyRate, declaration.keyRateLimit)) this.keyBuckets.clear();
    this.rate = declaration.rateLimit;
    this.keyRate = declaration.keyRateLimit;
  }

  /** The buckets that a start of this key takes from. */
  buckets(key: string, nowMs: number): Bucket[] {
    const buckets = this.bucket ? [this.bucket] : [];
    if (this.keyRate) {
      let bucket = this.keyBuckets.get(key);
      if (!bucket) this.keyBuckets.set(key, (bucket = new Bucket(this.keyRate, nowMs)));
      buckets.push(bucket);
    }
    return buckets;
  }
}

/** A limit that tasks hold. */
export class LimitModel {
  /** A worker declared it; one that is only named limits nothing. */
  declared = false;
  paused = false;
  readonly perKey = new Bound();
  readonly total = new Bound();
  /** Overrides of single keys. */
  readonly keys = new Map<string, { readonly override: number; readonly expireMs: number }>();

  declare(declaration: Pick<ConcurrencyLimitDeclaration, "perKey" | "total">): void {
    this.declared = true;
    this.perKey.base = declaration.perKey;
    this.total.base = declaration.total;
  }

  /** What holds for a key. */
  ofKey(key: string): number {
    return this.keys.get(key)?.override ?? this.perKey.current;
  }
}

/** What the environment allows. */
export class EnvironmentModel {
  paused = false;
  limit: number | undefined;
  burst = 1;

  change(change: LimitChange | undefined): void {
    if (change?.change.case === "override") this.limit = change.change.value;
    else if (change?.change.case === "reset") this.limit = undefined;
  }

  /** Over all queues. */
  get total(): number {
    // A product like 10 * 1.1 is a little more than 11.
    return this.limit === undefined ? Number.POSITIVE_INFINITY : Math.floor(this.limit * this.burst + 1e-9);
  }

  /** For a single queue. */
  get perQueue(): number {
    return this.limit ?? Number.POSITIVE_INFINITY;
  }
}

function sameRate(a: RateLimit | undefined, b: RateLimit | undefined): boolean {
  if (!a || !b) return a === b;
  return a.limit === b.limit && a.burst === b.burst && a.period?.seconds === b.period?.seconds && a.period?.nanos === b.period?.nanos;
}
