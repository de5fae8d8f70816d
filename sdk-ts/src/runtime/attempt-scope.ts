import type { HookTable } from "../hooks/hook-table.js";

/** What code has left with its attempt. Made when code first does so; plain data, because several copies of the SDK may use one. */
export interface AttemptScope {
  /** Values of `locals`, by their keys' symbols. */
  readonly locals: Map<symbol, unknown>;
  /** Hooks that were registered inside the run. */
  hooks: HookTable | undefined;
  /** What `waitUntil` was given. */
  readonly pending: Promise<unknown>[];
}

/** An empty one. */
export function newAttemptScope(): AttemptScope {
  return { locals: new Map(), hooks: undefined, pending: [] };
}
