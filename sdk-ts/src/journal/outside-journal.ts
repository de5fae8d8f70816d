import { AsyncLocalStorage } from "node:async_hooks";

// Made when somebody first needs it: each storage that is in use costs every promise of the process something.
let storage: AsyncLocalStorage<true> | undefined;

/**
 * Calls a function whose calls must not be in the journal of its run: a hook that is not called again when the run goes on after its worker was lost. An entry that nobody asks for again would
 * be a mismatch.
 */
export function outsideJournal<T>(call: () => T): T {
  storage ??= new AsyncLocalStorage<true>();
  return storage.run(true, call);
}

/** True in what {@link outsideJournal} calls, also across await. */
export function isOutsideJournal(): boolean {
  return storage?.getStore() ?? false;
}
