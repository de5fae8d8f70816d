import type { ConnectError } from "@connectrpc/connect";
import { refusal } from "../errors.js";

/** A field that breaks its rule. */
export interface Violation {
  /** Path from the request, as BadRequest.FieldViolation wants it: `items[3].task_id`. */
  field: string;
  /** What the rule is. */
  description: string;
}

/** INVALID_ARGUMENT with the fields at fault; the message shows the first. */
export function invalidFields(violations: Violation[]): ConnectError {
  const first = violations[0]!;
  return refusal("INVALID_FIELD", `${first.field} ${first.description}`, { metadata: { field: first.field }, violations });
}

/** Refuses a request that breaks rules. @throws ConnectError INVALID_ARGUMENT, as {@link invalidFields}, if there is a violation */
export function refuseFaults(violations: Violation[]): void {
  if (violations.length > 0) throw invalidFields(violations);
}
