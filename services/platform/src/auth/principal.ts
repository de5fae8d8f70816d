import type { HandlerContext } from "@connectrpc/connect";
import { createContextKey } from "@connectrpc/connect";
import { refusal } from "../errors.js";

/** Who calls. */
export interface Principal {
  /** Environment of the caller's secret key, for instance "dev". */
  readonly environment: string;
}

/** Where handlers find who calls: `context.values.get(principalKey)`. Undefined in a call that was not authenticated. */
export const principalKey = createContextKey<Principal | undefined>(undefined, { description: "principal" });

/**
 * Finds out who calls, from the value of the `authorization` metadata.
 *
 * @throws ConnectError UNAUTHENTICATED with reason MISSING_KEY or INVALID_KEY.
 */
export type Authenticate = (authorization: string | undefined) => Principal;

/** Who calls. @throws ConnectError UNAUTHENTICATED with reason MISSING_KEY if the call was not authenticated. */
export function principalOf(context: HandlerContext): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) throw refusal("MISSING_KEY", "the call was not authenticated");
  return principal;
}
