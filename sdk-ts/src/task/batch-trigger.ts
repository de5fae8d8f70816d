import { randomBytes } from "node:crypto";
import type { RunResult, TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { errorOfStatus } from "../client/grpc-error.js";
import { defaultClient, homeClient } from "../client/runlane-client.js";
import { apiErrorOf } from "../errors/api-error.js";
import { type BatchFailure, BatchTriggerError } from "../errors/task-errors.js";
import { isLarge } from "../payload.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { refuseUnsupported } from "../unsupported.js";
import { storedRunResult } from "./run-result.js";
import type { BatchItem, BatchItems, BatchResult, BatchRunHandle, BatchTriggerAndWaitOptions, BatchTriggerOptions, RunHandle } from "./task-types.js";
import type { PayloadCheck } from "./trigger.js";
import { storedItem, triggerItem } from "./trigger-item.js";

/** What became of one item; with `result` if results are awaited and the run exists. */
type ItemOutcome = { readonly runId: string; readonly result?: RunResult } | { readonly error: unknown };

/** Triggers a run for each item. */
export async function batchTriggerRuns<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  items: BatchItems<TPayload>,
  options: BatchTriggerOptions | undefined,
  check?: PayloadCheck,
): Promise<BatchRunHandle<TIdentifier, TPayload, TOutput>> {
  const batch = await openBatch(taskId, items, options, check);
  const outcomes = await outcomesOf(batch.items, false);
  const runs: RunHandle<TIdentifier, TPayload, TOutput>[] = [];
  const failures: BatchFailure[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    if ("error" in outcome) failures.push({ index, error: outcome.error });
    else runs.push({ id: outcome.runId, taskIdentifier: taskId });
  }
  if (failures.length > 0) throw failedBatch(batch, failures, runs);
  return { batchId: batch.id, runCount: runs.length, runs };
}

/** Triggers a run for each item and waits for all. */
export async function batchTriggerRunsAndWait<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  items: BatchItems<TPayload>,
  options: BatchTriggerAndWaitOptions | undefined,
  check?: PayloadCheck,
): Promise<BatchResult<TIdentifier, TOutput>> {
  const batch = await openBatch(taskId, items, options, check);
  const outcomes = await outcomesOf(batch.items, true);
  const failures = outcomes.flatMap((outcome, index) => ("error" in outcome ? [{ index, error: outcome.error }] : []));
  if (failures.length === outcomes.length) throw failedBatch(batch, failures, []);
  const runs = outcomes.map((outcome) => {
    if ("error" in outcome) return { ok: false as const, id: "", taskIdentifier: taskId, error: outcome.error };
    return storedRunResult<TIdentifier, TOutput>(outcome.result!, taskId, () => presentClient().payloads);
  });
  return { id: batch.id, runs: await Promise.all(runs) };
}

interface Batch {
  readonly id: string;
  readonly items: TriggerItem[];
}

async function openBatch<TPayload>(
  taskId: string,
  items: BatchItems<TPayload>,
  options: BatchTriggerOptions | undefined,
  check: PayloadCheck | undefined,
): Promise<Batch> {
  refuseUnsupported("batch", options, ["triggerSequentially"] satisfies (keyof BatchTriggerOptions)[]);
  const collected = Array.isArray(items) ? (items as readonly BatchItem<TPayload>[]) : await collect(items as AsyncIterable<BatchItem<TPayload>>);
  const id = `batch_${randomBytes(12).toString("base64url").replaceAll(/[-_]/g, "0")}`;
  if (collected.length === 0) throw new BatchTriggerError("A batch needs at least one item", { itemCount: 0 });
  const batch = { id, items: collected.map((item) => triggerItem(taskId, item.payload, item.options)) };
  if (check) await Promise.all(collected.map(({ payload }) => check(payload)));
  return batch;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Inside a run its own server's, whatever the code has configured. */
function presentClient() {
  return currentRunRuntime() ? homeClient() : defaultClient();
}

/** Sends items; large payloads go before them, into the store. One that cannot be stored fails its item alone. */
async function outcomesOf(items: TriggerItem[], awaitResults: boolean): Promise<ItemOutcome[]> {
  if (!items.some(({ payload }) => isLarge(payload))) return await outcomesOfSendable(items, awaitResults);
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
    awaitResults,
  );
  for (const [at, { index }] of sendable.entries()) outcomes[index] = sent[at]!;
  return outcomes;
}

function outcomesOfSendable(items: TriggerItem[], awaitResults: boolean): Promise<ItemOutcome[]> {
  const runtime = currentRunRuntime();
  if (!runtime) return outcomesOutside(items, awaitResults);
  return (awaitResults ? runtime.triggerAndWait(items) : runtime.trigger(items).then((outcomes) => ({ outcomes, results: [] as undefined[] }))).then(
    ({ outcomes, results }) =>
      outcomes.map(({ outcome }, index) => {
        if (outcome.case === "runId") return { runId: outcome.value, result: results[index]! };
        return { error: apiErrorOf(outcome.case === "error" ? errorOfStatus(outcome.value) : new Error("the server did not say what became of the trigger")) };
      }),
    (error: unknown) => {
      throw apiErrorOf(error);
    },
  );
}

function outcomesOutside(items: TriggerItem[], awaitsResult: boolean): Promise<ItemOutcome[]> {
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
      let runId: string | undefined;
      triggerStream.trigger(item, {
        awaitsResult,
        triggered(id) {
          runId = id;
          if (!awaitsResult) settle(index, { runId });
        },
        finished: (result) => settle(index, { runId: result.runId, result }),
        failed(error) {
          // A run that exists and whose result nobody can tell is no result.
          if (runId === undefined) settle(index, { error: apiErrorOf(error) });
          else reject(apiErrorOf(error));
        },
      });
    }
  });
}

function failedBatch(batch: Batch, failures: BatchFailure[], runs: { id: string; taskIdentifier: string }[]): BatchTriggerError {
  const [first] = failures;
  const message = `${failures.length} of ${batch.items.length} items could not be triggered: ${first!.error instanceof Error ? first!.error.message : String(first!.error)}`;
  return new BatchTriggerError(message, { batchId: batch.id, itemCount: batch.items.length, failures, runs });
}
