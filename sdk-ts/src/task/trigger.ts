import type { RunResult, TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { defaultClient, homeClient } from "../client/runlane-client.js";
import type { TriggerWaiter } from "../client/trigger-frame.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import { isLarge } from "../payload.js";
import { currentRunRuntime, type RunRuntime } from "../runtime/run-runtime.js";
import { defaultVersion } from "./default-version.js";
import { outcomeError } from "./outcome-error.js";
import { storedRunResult } from "./run-result.js";
import { TaskRunPromise } from "./task-run-promise.js";
import type { RunHandle, TaskRunResult, TriggerAndWaitOptions, TriggerOptions } from "./task-types.js";
import { storedItem, triggerItem } from "./trigger-item.js";

/**
 * Rejects for a payload that the schema of its task refuses. Called after the payload was written, so that what the caller changes afterwards is neither sent nor checked; what is
 * sent is what the caller gave, so that a schema's transformations happen once, in the worker.
 */
export type PayloadCheck = (payload: unknown) => Promise<unknown>;

/** Triggers one run: inside a run as its child, outside over the client's stream. */
export function triggerRun<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  payload: TPayload,
  options: TriggerOptions | undefined,
  check?: PayloadCheck,
): Promise<RunHandle<TIdentifier, TPayload, TOutput>> {
  // What the executor throws rejects the promise. One promise a trigger: an async function on the way would cost more than the trigger.
  return new Promise((resolve, reject) => {
    const version = defaultVersion();
    const item = triggerItem(taskId, payload, options, version === undefined ? undefined : { version });
    const waiter = new HandleWaiter<TIdentifier, TPayload, TOutput>(taskId, resolve, reject);
    if (check === undefined) sendTrigger(item, waiter);
    else check(payload).then(() => sendTrigger(item, waiter), reject);
  });
}

function sendTrigger(item: TriggerItem, waiter: TriggerWaiter): void {
  const runtime = currentRunRuntime();
  if (!runtime) return triggerOutside(item, waiter);
  const outcomes = isLarge(item.payload) ? storedItem(item, homeClient().payloads).then((stored) => runtime.trigger([stored])) : runtime.trigger([item]);
  outcomes.then(([outcome]) => {
    if (outcome?.outcome.case === "runId") waiter.triggered(outcome.outcome.value, outcome.cached);
    else waiter.failed(outcomeError(outcome));
  }, waiter.failed.bind(waiter));
}

/** Triggers one run and waits for its result. */
export function triggerRunAndWait<TIdentifier extends string, TPayload, TOutput>(
  taskId: TIdentifier,
  payload: TPayload,
  options: TriggerAndWaitOptions | undefined,
  check?: PayloadCheck,
): TaskRunPromise<TIdentifier, TOutput> {
  return new TaskRunPromise((resolve, reject) => {
    const version = currentRunRuntime() ? undefined : defaultVersion();
    const item = triggerItem(taskId, payload, options, version === undefined ? undefined : { version });
    const send = () => {
      const runtime = currentRunRuntime();
      if (runtime) resolve(waitInside(runtime, item, taskId));
      else triggerOutside(item, new ResultWaiter(taskId, resolve, reject));
    };
    if (check === undefined) send();
    else check(payload).then(send).catch(reject);
  }, taskId);
}

async function waitInside<TIdentifier extends string, TOutput>(
  runtime: RunRuntime,
  item: TriggerItem,
  taskId: TIdentifier,
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  const payloads = () => homeClient().payloads;
  const sendable = isLarge(item.payload) ? storedItem(item, payloads()) : item;
  const { outcomes, results } = await Promise.resolve(sendable)
    .then((stored) => runtime.triggerAndWait([stored]))
    .catch(throwApiError);
  if (outcomes[0]?.outcome.case === "error") throw outcomeError(outcomes[0]);
  if (!results[0]) throw new Error(`the server gave no result for task ${taskId}`);
  return storedRunResult(results[0], taskId, payloads);
}

/** Sends an item over the client's stream; a large payload goes before it, into the store. */
function triggerOutside(item: TriggerItem, waiter: TriggerWaiter): void {
  const client = defaultClient();
  if (!isLarge(item.payload)) return client.triggerStream.trigger(item, waiter);
  storedItem(item, client.payloads).then(
    (stored) => client.triggerStream.trigger(stored, waiter),
    (error: unknown) => waiter.failed(error),
  );
}

type Reject = (error: unknown) => void;
type Eventually<T> = T | PromiseLike<T>;

/** Waits until the run exists. A class, because thousands are under way at once. */
class HandleWaiter<TIdentifier extends string, TPayload, TOutput> implements TriggerWaiter {
  readonly awaitsResult = false;
  readonly #taskId: TIdentifier;
  readonly #resolve: (handle: RunHandle<TIdentifier, TPayload, TOutput>) => void;
  readonly #reject: Reject;

  constructor(taskId: TIdentifier, resolve: (handle: RunHandle<TIdentifier, TPayload, TOutput>) => void, reject: Reject) {
    this.#taskId = taskId;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  triggered(runId: string, isCached: boolean): void {
    this.#resolve({ id: runId, taskIdentifier: this.#taskId, isCached });
  }

  finished(): void {}

  failed(error: unknown): void {
    this.#reject(apiErrorOf(error));
  }
}

/** Waits until the run is final. */
class ResultWaiter<TIdentifier extends string, TOutput> implements TriggerWaiter {
  readonly awaitsResult = true;
  readonly #taskId: TIdentifier;
  readonly #resolve: (result: Eventually<TaskRunResult<TIdentifier, TOutput>>) => void;
  readonly #reject: Reject;

  constructor(taskId: TIdentifier, resolve: (result: Eventually<TaskRunResult<TIdentifier, TOutput>>) => void, reject: Reject) {
    this.#taskId = taskId;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  triggered(): void {}

  finished(result: RunResult): void {
    try {
      this.#resolve(storedRunResult(result, this.#taskId, () => defaultClient().payloads));
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(error: unknown): void {
    this.#reject(apiErrorOf(error));
  }
}
