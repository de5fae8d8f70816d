import { JournalKind } from "#gen/runlane/v1/worker_service_pb.js";
import { homeClient } from "../client/runlane-client.js";
import { throwApiError } from "../errors/api-error.js";
import { errorOfFailure } from "../errors/failure-error.js";
import { TransferFailure } from "../execution/transfer-failure.js";
import { journalCall, longestName } from "../journal/journal-call.js";
import { valueOfPayload } from "../payload.js";
import { onThrow } from "../retry/on-throw.js";
import { currentRunRuntime, type RecordOutcome, type RunRuntime } from "../runtime/run-runtime.js";
import type { RetryOptions } from "../task/retry-options.js";
import { refuseUnsupported } from "../unsupported.js";
import { failureOf } from "../worker/failure.js";

/** What a step may say. */
export interface StepOptions {
  /**
   * Tells it from others of its name: their arguments, for instance. Steps of one name that run at the same time need one each, or they fail with JOURNAL_KEY_REQUIRED: which of them is which
   * could not be told when the code runs again.
   */
  key?: string | number | readonly (string | number)[];
  /** When its function is called again after it threw. Default: it is not; then its error is the step's. In between it sleeps in the process. */
  retry?: RetryOptions;
}

/**
 * A piece of a run's code that is not run again once it has returned: what it came to is written to the run's journal, and the promise resolves when it is on disk there. When the code runs
 * once more, because its worker was lost while it waited or because the attempt failed, the step answers from the journal.
 *
 * ```ts
 * const charge = await step("charge", () => payments.charge(order), { retry: { maxAttempts: 3 } });
 * ```
 *
 * Its result is written as JSON, as the output of a run is: what the code gets the first time is the value itself, and later what was written. What its function throws is remembered within the
 * attempt only. A step whose worker dies while its function runs is run again: its function may run more than once, and must bear that. In `onStart`, `onStartAttempt`, `onWait` and `onResume`
 * it calls its function and remembers nothing: these are not called again.
 *
 * @param name 1 to 256 characters. Steps of one name that follow each other are told apart by their order.
 * @throws JournalError with code JOURNAL_KEY_REQUIRED or JOURNAL_MISMATCH; what the function throws; TypeError for a result that is not JSON; Error outside a run
 */
export async function step<T>(name: string, fn: () => T | Promise<T>, options?: StepOptions): Promise<T> {
  const runtime = currentRunRuntime();
  if (runtime === undefined) throw new Error("step can only be used from inside a task.run()");
  if (typeof name !== "string" || name.length === 0 || name.length > longestName) throw new Error("step: a name has 1 to 256 characters");
  if (typeof fn !== "function") throw new TypeError(`step ${JSON.stringify(name)}: the second argument must be a function`);
  refuseUnsupported(`step ${JSON.stringify(name)}`, options, ["key", "retry"] satisfies (keyof StepOptions)[]);
  const { key, retry } = options ?? {};
  let made: { readonly value: T } | { readonly error: unknown } | undefined;
  const outcome = await runtime
    .record(journalCall(JournalKind.STEP, name, ...(key === undefined ? [] : [JSON.stringify(key)])), async (): Promise<RecordOutcome> => {
      try {
        const value = await (retry ? onThrow(async () => fn(), retry) : fn());
        const written = await writeResult(runtime, name, value);
        made = { value };
        return written;
      } catch (error) {
        made = { error };
        // Nobody wants to know what the code of a run that was stopped came to.
        if (runtime.signal.aborted) throw error;
        return { case: "failure", value: failureOf(error) };
      }
    })
    .catch(throwApiError);
  if (made) {
    if ("error" in made) throw made.error;
    return made.value;
  }
  if (outcome.case === "failure") throw errorOfFailure(outcome.value);
  if (outcome.case === undefined) return undefined as T;
  const output = outcome.value.reference ? await homeClient().payloads.get(outcome.value, runtime.signal).catch(throwApiError) : outcome.value;
  return valueOfPayload(output) as T;
}

async function writeResult(runtime: RunRuntime, name: string, value: unknown): Promise<RecordOutcome> {
  if (value === undefined) return { case: "output", value: { $typeName: "runlane.v1.Payload", contentType: "", data: new Uint8Array(0), metadata: {} } };
  try {
    return { case: "output", value: await runtime.writeOutput(value) };
  } catch (error) {
    if (!(error instanceof TransferFailure)) throw error;
    throw error.final
      ? new TypeError(`step ${JSON.stringify(name)}: ${error.message.replace(/^the output/, "its result")}`, { cause: error.cause })
      : error.cause;
  }
}
