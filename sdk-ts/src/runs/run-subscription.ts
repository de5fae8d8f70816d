import type { Run } from "#gen/runlane/v1/run_pb.js";
import type { RunlaneClient } from "../client/runlane-client.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import { valueOfPayload } from "../payload.js";
import type { AnyTask, InferRunTypes } from "../task/task-types.js";
import { type RetrievedRun, retrievedRun } from "./run-object.js";
import { withStoredValues } from "./stored-values.js";

/** How a subscription behaves. */
export interface SubscribeToRunOptions {
  /** Ends when the run is final. Default true, as in Trigger.dev. */
  stopOnCompletion?: boolean;
  /** Ends the subscription. */
  signal?: AbortSignal;
}

/** A run as `runs.subscribeToRun` shows it: its payload is always there, as in Trigger.dev. */
export type SubscribedRun<TPayload, TOutput> = Omit<RetrievedRun<TPayload, TOutput>, "payload"> & { payload: TPayload };

/** {@link SubscribedRun} by the name that Trigger.dev gives it, of a task. */
export type RealtimeRun<TTask extends AnyTask> = SubscribedRun<InferRunTypes<TTask>["payload"], InferRunTypes<TTask>["output"]>;

/** Of any task. */
export type AnyRealtimeRun = RealtimeRun<AnyTask>;

/** The states of a run, as they come: iterate over it. A reader that is slower than the run sees the latest state. */
export class RunSubscription<TPayload, TOutput> implements AsyncIterable<SubscribedRun<TPayload, TOutput>> {
  readonly #client: RunlaneClient;
  readonly #runId: string;
  readonly #stopOnCompletion: boolean;
  readonly #ended = new AbortController();

  constructor(client: RunlaneClient, runId: string, { stopOnCompletion = true, signal }: SubscribeToRunOptions) {
    this.#client = client;
    this.#runId = runId;
    this.#stopOnCompletion = stopOnCompletion;
    if (signal?.aborted) this.unsubscribe();
    else signal?.addEventListener("abort", () => this.unsubscribe(), { once: true, signal: this.#ended.signal });
  }

  /** Ends the subscription: iterations end. */
  unsubscribe(): void {
    this.#ended.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SubscribedRun<TPayload, TOutput>, void, undefined> {
    const { signal } = this.#ended;
    let latest: Run | undefined;
    let failure: { readonly error: unknown } | undefined;
    let wake = () => {};
    const end = () => wake();
    if (signal.aborted) return;
    signal.addEventListener("abort", end);
    const stop = this.#client.runWatch.watch(this.#runId, {
      changed(run) {
        latest = run;
        wake();
      },
      failed(error) {
        failure = { error };
        wake();
      },
    });
    try {
      while (!signal.aborted) {
        const run: Run | undefined = latest;
        latest = undefined;
        if (run) {
          const shown = retrievedRun<TPayload, TOutput>(await withStoredValues(run, this.#client.payloads).catch(throwApiError), valueOfPayload);
          // The server shows a run whole: without a payload only if its task takes none.
          yield shown as SubscribedRun<TPayload, TOutput>;
          if (shown.isCompleted && this.#stopOnCompletion) return;
        } else if (failure) {
          throw apiErrorOf(failure.error);
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", end);
      stop();
    }
  }
}
