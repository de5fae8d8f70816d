import { defaultClient } from "../client/runlane-client.js";
import { NotFoundError, throwApiError } from "../errors/api-error.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { refuseUnsupported } from "../unsupported.js";
import { hashedKey, type IdempotencyKey, type IdempotencyKeyScope, isMadeKey, type KeyMaterial, madeKey } from "./idempotency-key.js";
import { originOf } from "./key-catalog.js";

/** What `idempotencyKeys.reset` must know of a key that it is not given as `create` made it. */
export interface ResetIdempotencyKeyOptions {
  /** Default "run". */
  scope?: IdempotencyKeyScope;
  /** The run that the key is part of, for the scopes "run" and "attempt". Default: the run that calls. */
  parentRunId?: string;
  /** The attempt that the key is part of, for the scope "attempt". Default: the one that calls. */
  attemptNumber?: number;
}

async function create(key: string | readonly string[], options: { scope?: IdempotencyKeyScope } = {}): Promise<IdempotencyKey> {
  refuseUnsupported("idempotencyKeys.create", options, ["scope"]);
  return madeKey(key, options.scope ?? "run");
}

async function reset(taskIdentifier: string, idempotencyKey: KeyMaterial, options: ResetIdempotencyKeyOptions = {}): Promise<{ id: string }> {
  refuseUnsupported("idempotencyKeys.reset", options, ["scope", "parentRunId", "attemptNumber"]);
  const asItIs = isMadeKey(idempotencyKey);
  // A text of 64 characters is taken for a key that was made, unless a scope says how to make one of it.
  if (asItIs && (options.scope === undefined || originOf(idempotencyKey) !== undefined)) return await end(taskIdentifier, idempotencyKey);
  const ids = scopeIdsOf(options);
  if (ids === undefined && !asItIs) {
    throw new Error(
      `idempotencyKeys.reset: outside of a run, a key of scope "${options.scope ?? "run"}" needs the ids that it is part of: parentRunId, and attemptNumber for "attempt"`,
    );
  }
  const made = ids && hashedKey([...(typeof idempotencyKey === "string" ? [idempotencyKey] : idempotencyKey), ...ids]);
  if (!asItIs) return await end(taskIdentifier, made!);
  try {
    return await end(taskIdentifier, idempotencyKey);
  } catch (error) {
    if (made === undefined || !(error instanceof NotFoundError)) throw error;
    return await end(taskIdentifier, made);
  }
}

/** Ids of runs and attempts that a key is part of; undefined if somebody would have to say them. */
function scopeIdsOf({ scope = "run", parentRunId, attemptNumber }: ResetIdempotencyKeyOptions): string[] | undefined {
  if (scope === "global") return [];
  const ctx = currentRunRuntime()?.ctx;
  const runId = parentRunId ?? ctx?.run.id;
  if (scope === "run") return runId === undefined ? undefined : [runId];
  const attempt = attemptNumber ?? ctx?.attempt.number;
  return runId === undefined || attempt === undefined ? undefined : [runId, String(attempt)];
}

async function end(taskId: string, key: string): Promise<{ id: string }> {
  await defaultClient().runs.resetIdempotencyKey({ taskId, key }).catch(throwApiError);
  return { id: key };
}

/** Makes and ends idempotency keys: of a task there is one run for each. */
export const idempotencyKeys = {
  /**
   * Makes a key: SHA-256 of what is given and, inside a run, of the ids of its scope. Scope "run", the default, makes it the same in each attempt of the run and another in other runs;
   * "attempt" another in each attempt; "global" the same everywhere. Outside of a run all are global.
   *
   * @throws Error if what is given has more than 2,048 characters.
   */
  create,
  /**
   * Ends a key of a task: the next trigger with it makes a new run. Takes a key as `create` made it, or what it was made of, with its scope.
   *
   * @throws NotFoundError if the task has no such key; Error if the ids of a scope are not known; ApiError if the server cannot be reached.
   */
  reset,
};
