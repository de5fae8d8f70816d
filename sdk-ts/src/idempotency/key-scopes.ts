import { IdempotencyScope } from "#gen/runlane/v1/run_pb.js";
import type { IdempotencyKeyScope } from "./idempotency-key.js";

/** Scopes as contracts have them, and as the SDK names them. A scope of a later version is none. */
export const keyScopes: Readonly<Record<IdempotencyScope, IdempotencyKeyScope | undefined>> = {
  [IdempotencyScope.UNSPECIFIED]: undefined,
  [IdempotencyScope.RUN]: "run",
  [IdempotencyScope.ATTEMPT]: "attempt",
  [IdempotencyScope.GLOBAL]: "global",
};
