import { randomBytes } from "node:crypto";
import type { BatchOutcome, BatchPart, IdempotencyKey, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { errorInfoOf } from "../client/grpc-error.js";
import { defaultClient, homeClient, type RunlaneClient } from "../client/runlane-client.js";
import { frameLimits, itemSize } from "../client/trigger-frame.js";
import { apiErrorOf } from "../errors/api-error.js";
import { BatchTriggerError } from "../errors/task-errors.js";
import { isLarge } from "../payload.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { storedItem } from "./trigger-item.js";

/** Bytes of a part that code inside a run sends: a worker's frames hold other things, too. */
const insideBytes = 384 * 1_024;

/** A batch that exists. */
export interface SentBatch {
  readonly batchId: string;
  /** Runs that it has. */
  readonly runCount: number;
  /** It existed before. */
  readonly cached: boolean;
  /** What became of each item. Some, or all, are missing if the batch existed before. */
  readonly outcomes: readonly TriggerOutcome[];
}

interface Answer {
  readonly outcomes: TriggerOutcome[];
  readonly batch: BatchOutcome | undefined;
}

/** The id of a batch that the server does not know. */
export function madeBatchId(): string {
  return `batch_${randomBytes(12).toString("base64url").replaceAll(/[-_]/g, "0")}`;
}

/** Inside a run its own server's, whatever the code has configured. */
export function presentClient(): RunlaneClient {
  return currentRunRuntime() ? homeClient() : defaultClient();
}

/**
 * Sends the items of a batch, in parts as large as a frame, one after the other: the last seals it. Large payloads go before, into the store.
 *
 * A batch that its key finds without all of its items was interrupted: the rest of them joins it.
 *
 * @throws BatchTriggerError
 */
export async function sendBatch(items: readonly TriggerItem[], idempotencyKey: IdempotencyKey | undefined): Promise<SentBatch> {
  const sendable = await stored(items);
  let batch: BatchOutcome | undefined;
  let cached = false;
  let sent = 0;
  const outcomes: TriggerOutcome[] = [];
  while (sent < sendable.length) {
    const end = endOfPart(sendable, sent);
    const part: BatchPart = { $typeName: "runlane.v1.BatchPart", batchId: batch?.batchId ?? "", firstIndex: sent, seal: end === sendable.length };
    if (batch === undefined && idempotencyKey) part.idempotencyKey = idempotencyKey;
    try {
      const answer: Answer = await sendPart(sendable.slice(sent, end), part);
      // An older server triggers the runs, and knows no batches.
      batch = answer.batch ?? { $typeName: "runlane.v1.BatchOutcome", batchId: batch?.batchId ?? madeBatchId(), runCount: end, cached: false };
      outcomes.push(...answer.outcomes);
      if (batch.cached) cached = true;
      sent = batch.cached ? batch.runCount : end;
    } catch (error) {
      if (cached && errorInfoOf(error)?.reason === "BATCH_SEALED") break;
      const cause = apiErrorOf(error);
      const { message } = cause instanceof Error ? cause : new Error(String(cause));
      throw new BatchTriggerError(`A batch of ${items.length} items could not be triggered: ${message}`, {
        phase: batch === undefined ? "create" : "stream",
        batchId: batch?.batchId,
        itemCount: items.length,
        cause,
      });
    }
  }
  return { batchId: batch!.batchId, runCount: batch!.runCount, cached, outcomes };
}

function sendPart(items: TriggerItem[], part: BatchPart): Promise<Answer> {
  const runtime = currentRunRuntime();
  if (runtime) return runtime.triggerBatch(items, part);
  return new Promise((resolve, reject) => {
    defaultClient().triggerStream.triggerBatch(items, { part, answered: (outcomes, batch) => resolve({ outcomes, batch }), failed: reject });
  });
}

/** Where the part that begins at `start` ends. */
function endOfPart(items: readonly TriggerItem[], start: number): number {
  const mostBytes = currentRunRuntime() ? insideBytes : frameLimits.bytes;
  let bytes = 0;
  let end = start;
  while (end < items.length && end - start < frameLimits.items) {
    bytes += itemSize(items[end]!);
    if (end > start && bytes > mostBytes) break;
    end += 1;
  }
  return end;
}

async function stored(items: readonly TriggerItem[]): Promise<readonly TriggerItem[]> {
  if (!items.some(({ payload }) => isLarge(payload))) return items;
  const { payloads } = presentClient();
  try {
    return await Promise.all(items.map((item) => (isLarge(item.payload) ? storedItem(item, payloads) : item)));
  } catch (error) {
    const cause = apiErrorOf(error);
    throw new BatchTriggerError(`A large payload of a batch could not be stored: ${cause instanceof Error ? cause.message : String(cause)}`, {
      phase: "offload",
      itemCount: items.length,
      cause,
    });
  }
}
