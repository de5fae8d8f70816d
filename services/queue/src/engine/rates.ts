import type { Durable } from "./durable.js";
import type { Lane } from "./lane.js";
import { QueueRecord } from "./queue-record.js";
import { endRateOfLane, endRateOfQueue } from "./ready.js";
import { type RunRecord, weightOf } from "./run-record.js";
import { createBucket, dueAt, fullAt, takeTokens } from "./token-bucket.js";

/**
 * Lets the start of a run take what its queue's rate limits ask for. Each attempt that leaves the queue is a start; a retry after a short delay keeps its slots and is none. Returns what it
 * took.
 */
export function takeRates(durable: Durable, run: RunRecord): number {
  const { queue } = run;
  if (!queue.rate && !queue.keyRate) return 0;
  const weight = weightOf(run);
  spend(durable, run, weight);
  return weight;
}

/** An attempt did not happen: what its start took is given back. */
export function giveRates(durable: Durable, run: RunRecord): void {
  if (run.tokens === 0) return;
  spend(durable, run, -run.tokens);
  run.tokens = 0;
}

function spend({ now }: Durable, { queue, lane }: RunRecord, weight: number): void {
  if (queue.rate) {
    queue.bucket ??= createBucket(queue.rate, now);
    takeTokens(queue.rate, queue.bucket, weight, now);
  }
  if (queue.keyRate) {
    lane.bucket ??= createBucket(queue.keyRate, now);
    takeTokens(queue.keyRate, lane.bucket, weight, now);
  }
}

/** When the rate limit of its key lets a run start, in milliseconds; 0: it has not bound so far. */
export function dueOfLane({ queue, bucket }: Lane, run: RunRecord): number {
  return queue.keyRate && bucket ? dueAt(queue.keyRate, bucket, weightOf(run)) : 0;
}

/** When the rate limit of its queue lets a run start, in milliseconds; 0: it has not bound so far. */
export function dueOfQueue({ rate, bucket }: QueueRecord, run: RunRecord): number {
  return rate && bucket ? dueAt(rate, bucket, weightOf(run)) : 0;
}

/** Which rate limit a run that is next waits for, and until when; undefined: none. Says so, too, of one that nobody has tried to start because something else is missing. */
export function rateHoldOf(run: RunRecord, nowMs: number): { readonly ofKey: boolean; readonly dueMs: number } | undefined {
  const { lane, queue } = run;
  const ofKey = lane.rateDueMs || dueOfLane(lane, run);
  if (lane.rateDueMs !== 0 || ofKey > nowMs) return { ofKey: true, dueMs: ofKey };
  const ofQueue = queue.rateDueMs || dueOfQueue(queue, run);
  return queue.rateDueMs !== 0 || ofQueue > nowMs ? { ofKey: false, dueMs: ofQueue } : undefined;
}

/** When the rate limit of a key will have forgotten its past; 0 if it has none. */
export function restOfLane({ queue, bucket }: Lane): number {
  return queue.keyRate && bucket ? fullAt(queue.keyRate, bucket) : 0;
}

/** A rate limit holds a queue, or a key, up until then. */
export function holdUp(durable: Durable, held: QueueRecord | Lane, dueMs: number): void {
  held.rateDueMs = dueMs;
  if (held.rateListedMs !== 0 && held.rateListedMs <= dueMs) return;
  held.rateListedMs = dueMs;
  durable.rateDue.push({ atMs: dueMs, held });
}

/** Lets go what rate limits held up until now. */
export function wakeRates(durable: Durable, nowMs: number): void {
  for (let entry = durable.rateDue.peek(); entry && entry.atMs <= nowMs; entry = durable.rateDue.peek()) {
    durable.rateDue.pop();
    const { held, atMs } = entry;
    if (held.rateListedMs !== atMs) continue;
    held.rateListedMs = 0;
    if (held.rateDueMs > nowMs) holdUp(durable, held, held.rateDueMs);
    else if (held.rateDueMs !== 0) letGo(durable, held);
  }
}

function letGo(durable: Durable, held: QueueRecord | Lane): void {
  if (held instanceof QueueRecord) endRateOfQueue(durable, held);
  else endRateOfLane(durable, held);
}
