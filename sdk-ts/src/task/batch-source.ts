import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { BatchTriggerError } from "../errors/task-errors.js";
import { itemKey } from "../idempotency/idempotency-key.js";
import { refuseUnsupported } from "../unsupported.js";
import type { BatchTriggerOptions, TriggerOptions } from "./task-types.js";
import type { PayloadCheck } from "./trigger.js";
import { triggerItem } from "./trigger-item.js";

/** Items of a batch. */
const mostBatchItems = 1_000;

/** What a batch may be given as. */
export type BatchSource<T> = readonly T[] | AsyncIterable<T> | ReadableStream<T>;

/** One trigger of a batch, whatever the function that was called names its parts. */
export interface BatchEntry {
  readonly taskId: string;
  readonly payload: unknown;
  readonly options?: TriggerOptions | undefined;
  readonly check?: PayloadCheck | undefined;
}

/**
 * The items of a batch as they are sent, all of them: an iterable is read to its end, so that a batch begins only if all of it may. `version` is for items that name none.
 *
 * @throws BatchTriggerError if there are none, or more than 1,000; what `triggerItem` throws; what a schema, or the iterable, throws.
 */
export async function readBatch<T>(
  source: BatchSource<T>,
  entryOf: (item: T) => BatchEntry,
  options: BatchTriggerOptions | undefined,
  version: string | undefined,
): Promise<TriggerItem[]> {
  refuseUnsupported("batch", options, ["idempotencyKey", "idempotencyKeyTTL", "triggerSequentially"] satisfies (keyof BatchTriggerOptions)[]);
  const items: TriggerItem[] = [];
  const take = (given: T): BatchEntry => {
    if (items.length === mostBatchItems) throw tooMany(Array.isArray(source) ? source.length : mostBatchItems + 1);
    const entry = entryOf(given);
    const idempotencyKey = itemKey(options?.idempotencyKey, items.length);
    items.push(triggerItem(entry.taskId, entry.payload, entry.options, { version, idempotencyKey, idempotencyKeyTTL: options?.idempotencyKeyTTL }));
    return entry;
  };
  // Payloads are written before a schema looks at them: see PayloadCheck.
  const checked = ({ check, payload }: BatchEntry) => check?.(payload);
  if (Array.isArray(source)) {
    if (source.length > mostBatchItems) throw tooMany(source.length);
    await Promise.all((source as readonly T[]).map(take).map(checked));
  } else {
    for await (const given of source as AsyncIterable<T>) await checked(take(given));
  }
  if (items.length === 0) throw new BatchTriggerError("A batch needs at least one item", { itemCount: 0 });
  return items;
}

function tooMany(count: number): BatchTriggerError {
  return new BatchTriggerError(`A batch has at most ${mostBatchItems} items, and this one has ${count} or more`, { itemCount: count });
}
