import { currentRunRuntime } from "../runtime/run-runtime.js";

/** The longest time that a timer takes, in milliseconds. */
const longestTimerMs = 2_147_483_647;

/**
 * The signal that ends pauses of code that begins now: the run's. Undefined outside a run, and in code that goes on after its run was stopped, such as `onCancel`: it knows what it does.
 */
export function pauseSignal(): AbortSignal | undefined {
  const signal = currentRunRuntime()?.signal;
  return signal?.aborted ? undefined : signal;
}

/**
 * Sleeps in the process until a time, in milliseconds of the Unix epoch. The run keeps its slot.
 *
 * @throws the reason of `signal` as an Error, once it is aborted
 */
export async function pauseUntil(time: number, signal: AbortSignal | undefined): Promise<void> {
  for (let left = time - Date.now(); left > 0 || signal?.aborted; left = time - Date.now()) {
    if (signal?.aborted) throw abortError(signal);
    await sleep(Math.min(left, longestTimerMs), signal);
  }
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

function abortError({ reason }: AbortSignal): unknown {
  return typeof reason === "string" ? new DOMException(reason, "AbortError") : reason;
}
