import type { IdempotencySetting } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Environment } from "./environment.js";
import { Fifo } from "./fifo.js";

/** Items that a batch may have. */
export const batchSizeCap = 1_000;

/** How long a batch may take items, in milliseconds, as Trigger.dev has it (BATCH_SEAL_TIMEOUT_MS). */
export const sealTimeoutMs = 30 * 60_000;

/** How long a batch is kept after its end, in milliseconds. */
export const batchRetentionMs = 7 * 24 * 60 * 60_000;

/** Runs that were triggered together. Changed by `apply` only. */
export interface BatchRecord {
  /** Counts the partition's batches from 1; part of the batch's id. */
  readonly number: number;
  readonly environment: Environment;
  readonly createMs: number;
  /** When something of it changed last. */
  updateMs: number;
  readonly idempotency: IdempotencySetting | undefined;
  /** Run whose code created it; 0 if none. */
  readonly parent: number;
  /** How many items it has. */
  size: number;
  /** Their runs by index, as pairs of a first number and how many follow each other: most batches are one pair. */
  readonly spans: number[];
  /** Indexes of items that a key found a run for. */
  readonly found: number[];
  /** Items that could not be triggered. */
  readonly errors: BatchFault[];
  /** Whether it takes items. */
  state: "open" | "sealed" | "aborted";
  /** How many of its runs are not final. */
  pending: number;
  succeeded: number;
  failed: number;
  /** When it took no more items and all its runs were final; 0 before. */
  endMs: number;
}

/** An item that could not be triggered. */
export interface BatchFault {
  readonly index: number;
  readonly taskId: string;
  /** From the catalogue of errors. */
  readonly reason: string;
  readonly message: string;
}

/** All batches of a partition. */
export interface Batches {
  next: number;
  readonly byNumber: Map<number, BatchRecord>;
  /** In the order of their creation, for those that are not sealed in time. Sealed ones leave when they are at the head. */
  readonly open: Fifo<BatchRecord>;
  /** In the order of their end, for forgetting them. */
  readonly ended: Fifo<BatchRecord>;
}

/** None. */
export function createBatches(): Batches {
  return { next: 1, byNumber: new Map(), open: new Fifo(), ended: new Fifo() };
}

/** Adds the next item's run. */
export function addRun(batch: BatchRecord, number: number): void {
  const { spans } = batch;
  const last = spans.length - 2;
  if (last >= 0 && (spans[last] as number) + (spans[last + 1] as number) === number) spans[last + 1] = (spans[last + 1] as number) + 1;
  else spans.push(number, 1);
  batch.size += 1;
}

/** The run of the item at an index below `size`. */
export function runAt({ spans }: BatchRecord, index: number): number {
  let left = index;
  for (let at = 0; at < spans.length; at += 2) {
    const [first, count] = [spans[at] as number, spans[at + 1] as number];
    if (left < count) return first + left;
    left -= count;
  }
  throw new RangeError(`the batch has no item ${index}`);
}

/** All its runs, by index. */
export function runsOf(batch: BatchRecord): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < batch.spans.length; at += 2) {
    for (let i = 0; i < (batch.spans[at + 1] as number); i++) numbers.push((batch.spans[at] as number) + i);
  }
  return numbers;
}
