import { currentRunRuntime } from "../runtime/run-runtime.js";

/**
 * Keeps the attempt going until the promise has settled, for at most 60 seconds after its other code has ended; only then its result is reported. How the promise ends changes
 * nothing. Outside a run it does nothing. As in Trigger.dev.
 */
export function waitUntil(promise: Promise<unknown>): void {
  const scope = currentRunRuntime()?.scope;
  if (scope === undefined) return;
  // Somebody looks at it only later; until then its rejection would count as unhandled.
  promise.catch(() => {});
  scope.pending.push(promise);
}
