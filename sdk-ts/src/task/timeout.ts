import { currentRunRuntime } from "../runtime/run-runtime.js";
import { noMaxDuration } from "./max-duration.js";

/** How long attempts may take; named as in Trigger.dev. */
export const timeout = {
  /** As `maxDuration`: no limit. */
  None: noMaxDuration,
  /** The signal of the present run, which is aborted at its maxDuration and when it is cancelled; undefined outside a run. */
  get signal(): AbortSignal | undefined {
    return currentRunRuntime()?.signal;
  },
};
