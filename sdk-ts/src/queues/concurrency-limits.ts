import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate } from "@bufbuild/protobuf/wkt";
import type {
  ConcurrencyLimitKey,
  UpdateConcurrencyLimitRequestSchema,
  UpdateConcurrencyLimitResponse,
  ConcurrencyLimit as WireLimit,
} from "#gen/runlane/v1/queue_service_pb.js";
import { defaultClient } from "../client/runlane-client.js";
import { throwApiError } from "../errors/api-error.js";
import { listByOffset, type OffsetLimitPagePromise, type OffsetPageOptions } from "../runs/offset-page.js";
import { secondsOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { checkSlots } from "./limit-rules.js";
import { boundItem, type QueueConcurrency } from "./queues.js";

/** One bound of a limit: what holds, what code declares, and what it was overridden with; null means no limit. */
export type ConcurrencyLimitBound = Omit<QueueConcurrency, "overriddenBy">;

/** A limit as `concurrencyLimits` shows it. */
export interface ConcurrencyLimitItem {
  /** Starts with "climit_". */
  id: string;
  /** Its name; "task/<task id>" for the limit that a task has for itself. */
  name: string;
  /** Of each concurrency key. */
  perKey: ConcurrencyLimitBound;
  /** Over all keys. */
  total: ConcurrencyLimitBound;
  /** Runs that hold it. */
  running: number;
  /** Runs that wait for their start and will hold it. */
  queued: number;
  /** Nothing that holds it starts. */
  paused: boolean;
}

/** What a limit is for one concurrency key. */
export interface ConcurrencyLimitKeyItem {
  name: string;
  concurrencyKey: string;
  perKey: {
    current: number | null;
    base: number | null;
    override: number | null;
    /** When the override of the key ends; null if there is none. */
    expiresAt: Date | null;
  };
  /** Runs of the key that hold the limit. */
  running: number;
  /** The whole limit is paused. */
  paused: boolean;
}

/** Names one concurrency key of a limit; numbers become texts. */
export interface ConcurrencyLimitKeyOptions {
  concurrencyKey: string | number;
}

/** What to change of a limit: at least one of the two, 0 to 100,000. */
export interface OverrideConcurrencyLimitBounds {
  perKey?: number;
  total?: number;
  concurrencyKey?: never;
  ttl?: never;
}

/** What to change of a limit for one concurrency key, for a time. */
export interface OverrideConcurrencyLimitKey extends ConcurrencyLimitKeyOptions {
  perKey: number;
  /** How long it holds: a text like "7d", or seconds; 1 s to 30 days. Default 7 days. */
  ttl?: string | number;
  total?: never;
}

function list(options: OffsetPageOptions = {}): OffsetLimitPagePromise<ConcurrencyLimitItem> {
  const read = async (pageSize: number, pageToken: string) => {
    const { limits, nextPageToken, totalCount } = await defaultClient().queues.listConcurrencyLimits({ pageSize, pageToken }).catch(throwApiError);
    return { items: limits.map(limitItem), nextPageToken, totalCount };
  };
  return listByOffset("concurrencyLimits.list", options, read);
}

function retrieve(name: string, options: ConcurrencyLimitKeyOptions): Promise<ConcurrencyLimitKeyItem>;
function retrieve(name: string): Promise<ConcurrencyLimitItem>;
async function retrieve(name: string, options?: ConcurrencyLimitKeyOptions): Promise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  return shown(
    await defaultClient()
      .queues.getConcurrencyLimit({ name, ...keyOf("retrieve", options) })
      .catch(throwApiError),
  );
}

function override(name: string, change: OverrideConcurrencyLimitKey): Promise<ConcurrencyLimitKeyItem>;
function override(name: string, change: OverrideConcurrencyLimitBounds): Promise<ConcurrencyLimitItem>;
async function override(
  name: string,
  change: OverrideConcurrencyLimitBounds | OverrideConcurrencyLimitKey,
): Promise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  const where = "concurrencyLimits.override";
  refuseUnsupported(where, change, ["perKey", "total", "concurrencyKey", "ttl"]);
  const { perKey, total, concurrencyKey, ttl } = change;
  if (perKey === undefined && total === undefined) throw new Error(`${where}: give perKey or total`);
  checkSlots(`${where}: perKey`, perKey);
  checkSlots(`${where}: total`, total);
  return await update({
    name,
    ...(perKey === undefined ? {} : { perKey: { change: { case: "override", value: perKey } } }),
    ...(total === undefined ? {} : { total: { change: { case: "override", value: total } } }),
    ...(concurrencyKey === undefined ? {} : { concurrencyKey: String(concurrencyKey) }),
    ...(ttl === undefined ? {} : { ttl: durationFromMs(1_000 * secondsOption(`${where}: ttl`, ttl)) }),
  });
}

function reset(name: string, options: ConcurrencyLimitKeyOptions): Promise<ConcurrencyLimitKeyItem>;
function reset(name: string): Promise<ConcurrencyLimitItem>;
async function reset(name: string, options?: ConcurrencyLimitKeyOptions): Promise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  const change = { change: { case: "reset", value: true } } as const;
  const key = keyOf("reset", options);
  return await update({ name, perKey: change, ...(options === undefined ? { total: change } : key) });
}

async function pause(name: string): Promise<ConcurrencyLimitItem> {
  return (await update({ name, paused: true })) as ConcurrencyLimitItem;
}

async function resume(name: string): Promise<ConcurrencyLimitItem> {
  return (await update({ name, paused: false })) as ConcurrencyLimitItem;
}

/**
 * Shows the limits that tasks share, and those that tasks have for themselves ("task/<task id>"), pauses them, and overrides them. What is changed holds within a second, and through
 * restarts and new versions of the code, until it is changed again.
 */
export const concurrencyLimits = {
  /**
   * Lists limits, by name: await it for a page, or iterate with `for await` over all of them.
   *
   * @throws Error for a page that cannot be; ApiError if the server cannot be reached.
   */
  list,
  /** Reads a limit, or what it is for one concurrency key. @throws NotFoundError if there is none; ApiError if the server cannot be reached. */
  retrieve,
  /** Overrides what is given of a limit; with a concurrency key for that one, and for a time. @throws as `retrieve`; Error for a number that cannot be. */
  override,
  /** Ends what `override` did: of the limit, or of one concurrency key. @throws as `retrieve`. */
  reset,
  /** Stops starts of everything that holds the limit; what executes goes on. @throws as `retrieve`. */
  pause,
  /** Lets a paused limit go on. @throws as `retrieve`. */
  resume,
};

async function update(request: MessageInitShape<typeof UpdateConcurrencyLimitRequestSchema>): Promise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  return shown(await defaultClient().queues.updateConcurrencyLimit(request).catch(throwApiError));
}

function shown({ limit, key }: Pick<UpdateConcurrencyLimitResponse, "limit" | "key">): ConcurrencyLimitItem | ConcurrencyLimitKeyItem {
  return key ? keyItem(key, limit?.paused ?? false) : limitItem(limit!);
}

function keyOf(method: string, options: ConcurrencyLimitKeyOptions | undefined): { concurrencyKey?: string } {
  refuseUnsupported(`concurrencyLimits.${method}`, options, ["concurrencyKey"]);
  return options?.concurrencyKey === undefined ? {} : { concurrencyKey: String(options.concurrencyKey) };
}

function limitItem({ name, perKey, total, running, queued, paused }: WireLimit): ConcurrencyLimitItem {
  const id = `climit_${Buffer.from(name).toString("base64url")}`;
  return { id, name, perKey: boundItem(perKey), total: boundItem(total), running: Number(running), queued: Number(queued), paused };
}

function keyItem({ name, concurrencyKey, perKey, expireTime, running }: ConcurrencyLimitKey, paused: boolean): ConcurrencyLimitKeyItem {
  const { current, base, override: overridden } = boundItem(perKey);
  const bound = { current, base, override: overridden, expiresAt: expireTime ? timestampDate(expireTime) : null };
  return { name, concurrencyKey, perKey: bound, running: Number(running), paused };
}
