import { randomUUID } from "node:crypto";
import { errorInfoOf } from "../client/grpc-error.js";
import { defaultClient } from "../client/runlane-client.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import type { AnyRunHandle, AnyTask, InferRunTypes } from "../task/task-types.js";
import { delayOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { CursorPage, type CursorPagePromise, type Pagination } from "./cursor-page.js";
import { PagePromise } from "./page-promise.js";
import { type ListedRun, type ListRunsOptions, listRequest, pageRequest, shownToken } from "./run-list.js";
import { type RetrieveRunResult, retrievedRun } from "./run-object.js";
import { RunSubscription, type SubscribeToRunOptions } from "./run-subscription.js";
import { withStoredValues } from "./stored-values.js";

/** What `runs.reschedule` takes. */
export interface RescheduleRunOptions {
  /** When the run enters its queue: after a time like "1h30m" from now, at a Date, or at a time in ISO 8601. A time that has passed means at once. */
  delay: string | Date;
}

// A handle carries its types; beside a task as the type argument stands the run's id, as in Trigger.dev, or its handle.
type RunId<T> = T extends AnyRunHandle ? T : T extends AnyTask ? string | AnyRunHandle : T extends string ? T : never;

async function retrieve<T extends AnyRunHandle | AnyTask | string>(run: RunId<T>): Promise<RetrieveRunResult<T>> {
  const client = defaultClient();
  const { run: found } = await client.runs.getRun({ runId: idOf(run) }).catch(throwApiError);
  return retrievedRun(await withStoredValues(found!, client.payloads).catch(throwApiError));
}

async function cancel(run: string | AnyRunHandle): Promise<{ id: string }> {
  const id = idOf(run);
  try {
    await defaultClient().runs.cancelRun({ runId: id });
  } catch (error) {
    if (errorInfoOf(error)?.reason !== "RUN_FINISHED") throwApiError(error);
  }
  return { id };
}

async function poll<T extends AnyRunHandle | AnyTask | string>(run: RunId<T>, options?: { pollIntervalMs?: number }): Promise<RetrieveRunResult<T>> {
  refuseUnsupported("runs.poll", options, ["pollIntervalMs"]);
  const runId = idOf(run);
  await new Promise<void>((resolve, reject) => {
    const waiter = { awaitsResult: true, triggered: () => {}, finished: () => resolve(), failed: (error: unknown) => reject(apiErrorOf(error)) };
    defaultClient().triggerStream.watch(runId, waiter);
  });
  return retrieve<T>(run);
}

async function reschedule(run: string | AnyRunHandle, options: RescheduleRunOptions): Promise<RetrieveRunResult<string>> {
  refuseUnsupported("runs.reschedule", options, ["delay"]);
  const delay = delayOption("runs.reschedule: delay", options.delay);
  const client = defaultClient();
  const { run: found } = await client.runs.rescheduleRun({ runId: idOf(run), delay }).catch(throwApiError);
  return retrievedRun(await withStoredValues(found!, client.payloads).catch(throwApiError));
}

async function replay(run: string | AnyRunHandle): Promise<{ id: string }> {
  const { runId } = await defaultClient()
    .runs.replayRun({ requestId: randomUUID(), runId: idOf(run) })
    .catch(throwApiError);
  return { id: runId };
}

function list(options?: ListRunsOptions): CursorPagePromise<ListedRun> {
  return new PagePromise(readPage(() => listRequest(options)));
}

async function readPage(requestOf: () => ReturnType<typeof listRequest>): Promise<CursorPage<ListedRun>> {
  const request = requestOf();
  const { runs: found, nextPageToken, previousPageToken } = await defaultClient().runs.listRuns(request).catch(throwApiError);
  const pagination: Pagination = {};
  const [next, previous] = [shownToken(nextPageToken), shownToken(previousPageToken)];
  if (next !== undefined) pagination.next = next;
  if (previous !== undefined) pagination.previous = previous;
  return new CursorPage<ListedRun>(
    found.map((run) => retrievedRun(run)),
    pagination,
    (token) => readPage(() => pageRequest(request, token)),
  );
}

function subscribeToRun<T extends AnyRunHandle | AnyTask | string>(
  run: RunId<T>,
  options: SubscribeToRunOptions = {},
): RunSubscription<InferRunTypes<T>["payload"], InferRunTypes<T>["output"]> {
  refuseUnsupported("runs.subscribeToRun", options, ["stopOnCompletion", "signal"]);
  return new RunSubscription(defaultClient(), idOf(run), options);
}

/** Reads runs, lists and follows them, waits for them, and cancels them. All take the id of a run, or the handle that a trigger returned; a handle carries the types of payload and output. */
export const runs = {
  /**
   * Reads a run as it stands.
   *
   * @throws NotFoundError if there is none; ApiError if the server cannot be reached.
   */
  retrieve,
  /**
   * Lists runs, newest first: await it for a page, or iterate with `for await` over all of them. What this client triggered, cancelled or read before is in it as it was then, or newer.
   *
   * Trigger.dev's filters that have no meaning here yet (`schedule`, `bulkAction`, `region`, `machine`, `error`) are refused with an error.
   *
   * @throws BadRequestError for a filter that cannot be; ApiError if the server cannot be reached.
   */
  list,
  /**
   * Follows a run: yields it as it stands, and again whenever it has changed, until it is final. Changes that follow each other quickly may come as one. Goes on over broken connections and
   * restarts of the server. All subscriptions of a client share one stream.
   *
   * @throws NotFoundError if there is none; ApiConnectionError if the server is away for too long (`requestOptions.timeoutInMs`). An aborted `signal` ends the iteration without an error.
   */
  subscribeToRun,
  /**
   * Cancels a run and the runs that it triggered. It is CANCELED at once; its code is told by its signal, and cut off if it goes on. Of a run that is final
   * nothing changes, and that is no error, as in Trigger.dev.
   *
   * @throws NotFoundError if there is none; ApiError if the server cannot be reached.
   */
  cancel,
  /**
   * Gives a DELAYED run another time: `delay` as a trigger takes it.
   *
   * @throws UnprocessableEntityError for a run that is not DELAYED; NotFoundError if there is none; Error for a delay that is none; ApiError if the server cannot be reached.
   */
  reschedule,
  /**
   * Triggers a run again, whatever became of it: with its payload, metadata, tags, queue, concurrency key, machine and test mark, on the current version, and with nothing else of it.
   *
   * @throws NotFoundError if there is none; ApiError if the server refuses it, or cannot be reached.
   */
  replay,
  /**
   * Waits until a run is final, however long that takes, and reads it. The server tells when that is: `pollIntervalMs` is accepted for code written for Trigger.dev and
   * changes nothing.
   *
   * @throws NotFoundError if there is none; ApiConnectionError if the server is away for too long (`requestOptions.timeoutInMs`).
   */
  poll,
};

function idOf(run: string | { id: string }): string {
  return typeof run === "string" ? run : run.id;
}
