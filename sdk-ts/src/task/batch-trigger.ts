import type { RunResult, TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { defaultClient } from "../client/runlane-client.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import { type BatchFailure, BatchTriggerError } from "../errors/task-errors.js";
import { wireKey } from "../idempotency/idempotency-key.js";
import { isLarge } from "../payload.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { madeBatchId, presentClient, sendBatch } from "./batch-sending.js";
import { type BatchEntry, type BatchSource, readBatch } from "./batch-source.js";
import { defaultVersion } from "./default-version.js";
import { outcomeError } from "./outcome-error.js";
import { storedRunResult } from "./run-result.js";
import type {
  AnyBatchResult,
  AnyBatchRunHandle,
  AnyRunHandle,
  BatchItem,
  BatchItems,
  BatchResult,
  BatchRunHandle,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
} from "./task-types.js";
import type { PayloadCheck } from "./trigger.js";
import { storedItem } from "./trigger-item.js";

/** What became of one item; with `result` if the run exists. */
type ItemOutcome = { readonly runId: string; readonly result?: RunResult } | { readonly error: unknown };

/** How a batch of several tasks is made of what its caller gives. */
export type EntryOf<T> = (item: T) => BatchEntry;

/** Triggers a run of one task for each item. */
export function batchTriggerRuns<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  items: BatchItems<TPayload>,
  options: BatchTriggerOptions | undefined,
  check?: PayloadCheck,
): Promise<BatchRunHandle<TIdentifier, TPayload, TOutput>> {
  return triggerBatch(items, entriesOf(taskId, check), options) as Promise<BatchRunHandle<TIdentifier, TPayload, TOutput>>;
}

/** Triggers a run of one task for each item and waits for all. */
export function batchTriggerRunsAndWait<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  items: BatchItems<TPayload>,
  options: BatchTriggerAndWaitOptions | undefined,
  check?: PayloadCheck,
): Promise<BatchResult<TIdentifier, TOutput>> {
  return triggerBatchAndWait(items, entriesOf(taskId, check), options) as Promise<BatchResult<TIdentifier, TOutput>>;
}

function entriesOf<TPayload>(taskId: string, check: PayloadCheck | undefined): EntryOf<BatchItem<TPayload>> {
  return ({ payload, options }) => ({ taskId, payload, options, check });
}

/** Triggers a run for each item. Items that cannot be triggered become failed runs. */
export async function triggerBatch<T>(source: BatchSource<T>, entryOf: EntryOf<T>, options: BatchTriggerOptions | undefined): Promise<AnyBatchRunHandle> {
  const items = await readBatch(source, entryOf, options, defaultVersion());
  const { batchId, runCount, cached, outcomes } = await sendBatch(items, wireKey("batch", options?.idempotencyKey, options?.idempotencyKeyTTL));
  const handleOf = (id: string, index: number, isCached: boolean): AnyRunHandle => ({ id, taskIdentifier: items[index]?.taskId ?? "", isCached });
  if (cached) return { batchId, runCount, isCached: true, runs: (await runIdsOf(batchId)).map((id, index) => handleOf(id, index, true)) };
  const runs: AnyRunHandle[] = [];
  const failures: BatchFailure[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.outcome.case === "runId") runs.push(handleOf(outcome.outcome.value, index, outcome.cached));
    else failures.push({ index, error: outcomeError(outcome) });
  }
  if (failures.length > 0) throw failedBatch(batchId, items.length, failures, runs);
  return { batchId, runCount, isCached: false, runs };
}

async function runIdsOf(batchId: string): Promise<string[]> {
  const { batch } = await presentClient().runs.getBatch({ batchId }).catch(throwApiError);
  return batch?.runIds ?? [];
}

/** Triggers a run for each item and waits for all. */
export async function triggerBatchAndWait<T>(
  source: BatchSource<T>,
  entryOf: EntryOf<T>,
  options: BatchTriggerAndWaitOptions | undefined,
): Promise<AnyBatchResult> {
  const items = await readBatch(source, entryOf, options, currentRunRuntime() ? undefined : defaultVersion());
  const id = madeBatchId();
  const outcomes = await outcomesOf(items, id);
  const failures = outcomes.flatMap((outcome, index) => ("error" in outcome ? [{ index, error: outcome.error }] : []));
  if (failures.length === outcomes.length) throw failedBatch(id, items.length, failures, []);
  const runs = outcomes.map((outcome, index) => {
    const { taskId } = items[index]!;
    if ("error" in outcome) return { ok: false as const, id: "", taskIdentifier: taskId, error: outcome.error };
    return storedRunResult<string, unknown>(outcome.result!, taskId, () => presentClient().payloads);
  });
  return { id, runs: await Promise.all(runs) };
}

/** Sends items; large payloads go before them, into the store. One that cannot be stored fails its item alone. */
async function outcomesOf(items: TriggerItem[], batchId: string): Promise<ItemOutcome[]> {
  if (!items.some(({ payload }) => isLarge(payload))) return await outcomesOfSendable(items, batchId);
  const { payloads } = presentClient();
  const outcomes: ItemOutcome[] = new Array(items.length);
  const sendable: { readonly index: number; readonly item: TriggerItem }[] = [];
  await Promise.all(
    items.map(async (item, index) => {
      try {
        sendable.push({ index, item: isLarge(item.payload) ? await storedItem(item, payloads) : item });
      } catch (error) {
        outcomes[index] = { error: apiErrorOf(error) };
      }
    }),
  );
  sendable.sort((a, b) => a.index - b.index);
  if (sendable.length === 0) return outcomes;
  const sent = await outcomesOfSendable(
    sendable.map(({ item }) => item),
    batchId,
  );
  for (const [at, { index }] of sendable.entries()) outcomes[index] = sent[at]!;
  return outcomes;
}

async function outcomesOfSendable(items: TriggerItem[], batchId: string): Promise<ItemOutcome[]> {
  const runtime = currentRunRuntime();
  if (!runtime) return await outcomesOutside(items);
  const { outcomes, results } = await runtime.triggerAndWait(items, batchId).catch(throwApiError);
  return outcomes.map((outcome, index) => {
    if (outcome.outcome.case === "runId") return { runId: outcome.outcome.value, result: results[index]! };
    return { error: outcomeError(outcome) };
  });
}

function outcomesOutside(items: TriggerItem[]): Promise<ItemOutcome[]> {
  return new Promise((resolve, reject) => {
    const outcomes: ItemOutcome[] = new Array(items.length);
    let left = items.length;
    const settle = (index: number, outcome: ItemOutcome) => {
      outcomes[index] = outcome;
      left -= 1;
      if (left === 0) resolve(outcomes);
    };
    const { triggerStream } = defaultClient();
    for (const [index, item] of items.entries()) {
      let exists = false;
      triggerStream.trigger(item, {
        awaitsResult: true,
        triggered() {
          exists = true;
        },
        finished: (result) => settle(index, { runId: result.runId, result }),
        failed(error) {
          // A run that exists and whose result nobody can tell is no result.
          if (!exists) settle(index, { error: apiErrorOf(error) });
          else reject(apiErrorOf(error));
        },
      });
    }
  });
}

function failedBatch(batchId: string, itemCount: number, failures: BatchFailure[], runs: AnyRunHandle[]): BatchTriggerError {
  const [first] = failures;
  const message = `${failures.length} of ${itemCount} items could not be triggered: ${first!.error instanceof Error ? first!.error.message : String(first!.error)}`;
  return new BatchTriggerError(message, { batchId, itemCount, failures, runs });
}
