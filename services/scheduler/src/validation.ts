import type { ConnectError } from "@connectrpc/connect";
import { invalidFields, itemFault, itemLimits, payloadBytes, type Violation } from "@runlane/platform";
import type { TriggerItem, TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { limits } from "./limits.js";

/** Items that may go to the owner, and those that may not. */
export interface CheckedItems {
  /** The items that may be triggered, in their order. */
  readonly valid: TriggerItem[];
  /** Why the others may not, by their index in the frame; undefined if there are none. */
  readonly faults: Map<number, ConnectError> | undefined;
}

/** Checks each item by itself. */
export function checkItems(items: TriggerItem[]): CheckedItems {
  let faults: Map<number, ConnectError> | undefined;
  for (let i = 0; i < items.length; i++) {
    const fault = itemFault(items[i]!, `items[${i}]`);
    if (fault) (faults ??= new Map()).set(i, fault);
  }
  return faults ? { valid: items.filter((_, i) => !faults.has(i)), faults } : { valid: items, faults };
}

/** A request that triggers: the fields that TriggerFrame and TriggerTasksRequest share. */
export interface TriggerRequest {
  readonly requestId: string;
  readonly items: TriggerItem[];
  readonly awaitResults?: number[];
}

/**
 * Why a frame cannot be taken as a whole, or undefined if it can.
 *
 * @param bytes what {@link frameBytes} says of its items
 * @param requestIdRequired true on streams, where the request id also names the answer
 */
export function frameFault({ requestId, items, awaitResults = [] }: TriggerRequest, bytes: number, requestIdRequired: boolean): ConnectError | undefined {
  const violations: Violation[] = [];
  if (requestId.length > limits.requestId || (requestIdRequired && requestId === "")) {
    violations.push({ field: "request_id", description: `must be ${requestIdRequired ? 1 : 0} to ${limits.requestId} characters` });
  }
  if (items.length < 1 || items.length > limits.items) {
    violations.push({ field: "items", description: `must have 1 to ${limits.items} entries, has ${items.length}` });
  }
  if (bytes > limits.frameBytes) {
    violations.push({ field: "items", description: `must have at most ${limits.frameBytes} bytes together, has ${bytes}` });
  }
  for (let i = 0; i < awaitResults.length && violations.length < 10; i++) {
    if (awaitResults[i]! >= items.length) violations.push({ field: `await_results[${i}]`, description: "must be the index of an item" });
  }
  return violations.length > 0 ? invalidFields(violations) : undefined;
}

/** Why text cannot be the id of a run, or undefined if it can. An id that merely no run has is NOT_FOUND, and the owner's to say. */
export function runIdFault(runId: string, field = "run_id"): ConnectError | undefined {
  if (looksLikeRunId(runId)) return undefined;
  return invalidFields([{ field, description: `must be 1 to ${limits.runId} characters of letters, digits and "_-", as a trigger answered it` }]);
}

/** Whether an owner could have made this id. */
export function looksLikeRunId(runId: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(runId);
}

/** Bytes of what most triggers do not have. What is too large by itself is refused alone and not counted. */
function extraBytes({ tags, metadata }: TriggerOptions): number {
  let bytes = 0;
  for (const tag of tags) bytes += tag.length;
  const size = metadata?.data.length ?? 0;
  return size <= itemLimits.metadataBytes ? bytes + size : bytes;
}

/** Bytes of the items as the limit of a frame counts them: near the encoded size, and far cheaper than encoding. */
export function frameBytes(items: TriggerItem[]): number {
  let bytes = 0;
  for (const { taskId, payload, options } of items) {
    bytes += taskId.length + (options?.queue?.length ?? 0) + 8;
    if (options !== undefined) bytes += extraBytes(options);
    if (payload === undefined) continue;
    const size = payloadBytes(payload);
    if (size <= itemLimits.payloadBytes) bytes += size + payload.contentType.length;
  }
  return bytes;
}
