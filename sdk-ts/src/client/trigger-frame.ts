import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type BatchOutcome, type BatchPart, type RunResult, type TriggerItem, TriggerOptionsSchema, type TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { TriggerStreamRequestSchema } from "#gen/runlane/v1/run_service_pb.js";
import { encodeTriggerFrame } from "./trigger-stream-frames.js";

/** Hears what becomes of one trigger, or of a run that is watched. Exactly one of `finished` and `failed` comes last; if no result is awaited, `triggered` or `failed`. */
export interface TriggerWaiter {
  /** Whether it wants the result, or only to know that the run exists. Does not change. */
  readonly awaitsResult: boolean;
  /** The run exists, and is on disk. `cached`: it existed before. */
  triggered(runId: string, cached: boolean): void;
  /** The run is final. */
  finished(result: RunResult): void;
  /** There is no run, or nobody can say what became of it. A ConnectError, or what looking up the server threw. */
  failed(error: unknown): void;
}

/** Makes the items of a frame part of a batch, and hears what becomes of all of them at once: exactly one of `answered` and `failed`. */
export interface BatchWaiter {
  readonly part: BatchPart;
  /** `outcomes` has one entry for each item; none if the batch existed before. `batch` is undefined if the server is too old to know batches. */
  answered(outcomes: TriggerOutcome[], batch: BatchOutcome | undefined): void;
  /** As {@link TriggerWaiter.failed}. */
  failed(error: unknown): void;
}

/** What one frame may hold: the contract's limits, less what the frame itself needs. */
export const frameLimits = { items: 500, bytes: 512 * 1024 - 4 * 1024 } as const;

/** Triggers that travel together, from the first call of a turn to their answer. */
export class TriggerFrame {
  readonly requestId: string;
  /** When it was begun, in milliseconds of a monotonic clock. */
  readonly since: number;
  readonly waiters: TriggerWaiter[] = [];
  /** Set if its items are part of a batch; they have no waiters of their own then. */
  readonly batch: BatchWaiter | undefined;
  /** Why the server refused it for the time being, if it did. */
  refusal: ConnectError | undefined;
  #items: TriggerItem[] = [];
  #size = 0;
  #bytes: Uint8Array | undefined;

  constructor(requestId: string, since: number, batch?: { readonly items: TriggerItem[]; readonly waiter: BatchWaiter }) {
    this.requestId = requestId;
    this.since = since;
    this.batch = batch?.waiter;
    if (batch) this.#items = batch.items;
  }

  /** Tells everybody who waits for it that it has failed. */
  fail(error: unknown): void {
    for (const waiter of this.waiters) waiter.failed(error);
    this.batch?.failed(error);
  }

  /** Whether an item fits in. The first always does. */
  takes(size: number): boolean {
    return this.#items.length === 0 || (this.#items.length < frameLimits.items && this.#size + size <= frameLimits.bytes);
  }

  /** Adds an item. Not after `bytes` was asked for. */
  add(item: TriggerItem, size: number, waiter: TriggerWaiter): void {
    this.#items.push(item);
    this.waiters.push(waiter);
    this.#size += size;
  }

  /** The frame as it travels; always the same bytes, so that the server knows a repeated one by its request id. */
  get bytes(): Uint8Array {
    this.#bytes ??= this.#encode();
    return this.#bytes;
  }

  /** The items as they were added. */
  get items(): readonly TriggerItem[] {
    if (this.#bytes === undefined) return this.#items;
    const { frame } = fromBinary(TriggerStreamRequestSchema, this.#bytes);
    return frame.case === "trigger" ? frame.value.items : [];
  }

  #encode(): Uint8Array {
    const awaitResults: number[] = [];
    for (let index = 0; index < this.waiters.length; index++) if (this.waiters[index]!.awaitsResult) awaitResults.push(index);
    const { requestId } = this;
    const frame = { requestId, items: this.#items, awaitResults, ...(this.batch ? { batch: this.batch.part } : {}) };
    const bytes = encodeTriggerFrame(frame, this.#size);
    // The bytes are all that is kept until the answer comes: objects that die young cost the collector nothing.
    this.#items = [];
    return bytes;
  }
}

/** An upper bound of an item's size in a frame, in bytes. */
export function itemSize(item: TriggerItem): number {
  // Three bytes a character is the most that UTF-8 needs for a UTF-16 unit; 64 cover the tags and lengths.
  let size = 64 + 3 * item.taskId.length;
  if (item.options) size += toBinary(TriggerOptionsSchema, item.options).length;
  const { payload } = item;
  if (payload) {
    size += payload.data.length + 3 * (payload.contentType.length + (payload.reference?.length ?? 0));
    for (const key in payload.metadata) size += 16 + 3 * (key.length + payload.metadata[key]!.length);
  }
  return size;
}
