import type { ConnectError } from "@connectrpc/connect";
import {
  idempotencyKeyFaults,
  invalidFields,
  isDurationWithin,
  isName,
  isTimestamp,
  itemFault,
  itemLimits,
  longestDelayMs,
  nameRule,
  optionLimits,
  payloadBytes,
  refusal,
  type Violation,
} from "@runlane/platform";
import type { BatchPart, TriggerItem, TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RescheduleRunRequest } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
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
  readonly batch?: BatchPart;
}

/**
 * Why a frame cannot be taken as a whole, or undefined if it can.
 *
 * @param bytes what {@link frameBytes} says of its items
 * @param requestIdRequired true on streams, where the request id also names the answer
 */
export function frameFault(
  { requestId, items, awaitResults = [], batch }: TriggerRequest,
  bytes: number,
  requestIdRequired: boolean,
): ConnectError | undefined {
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
  if (batch) violations.push(...batchFaults(batch));
  if (violations.length > 0) return invalidFields(violations);
  return batch && batch.firstIndex + items.length > limits.batchItems ? batchTooLarge(batch.firstIndex + items.length) : undefined;
}

function batchFaults({ batchId, firstIndex, idempotencyKey }: BatchPart): Violation[] {
  const violations = idempotencyKey ? idempotencyKeyFaults(idempotencyKey, "batch.idempotency_key") : [];
  if (batchId !== "" && !looksLikeRunId(batchId))
    violations.push({ field: "batch.batch_id", description: "must be empty, or as the batch's first part was answered" });
  if (batchId === "" && firstIndex > 0) violations.push({ field: "batch.first_index", description: "must be 0 where a batch begins" });
  if (batchId !== "" && idempotencyKey) violations.push({ field: "batch.idempotency_key", description: "must stand only where a batch begins" });
  return violations;
}

function batchTooLarge(count: number): ConnectError {
  const description = `must have at most ${limits.batchItems} items in all its parts`;
  return refusal("BATCH_TOO_LARGE", `a batch has at most ${limits.batchItems} items, and this one would have ${count}`, {
    metadata: { limit: String(limits.batchItems) },
    violations: [{ field: "batch", description, reason: "BATCH_TOO_LARGE" }],
  });
}

/** Why text cannot be the id of a batch, or undefined if it can. */
export function batchIdFault(batchId: string): ConnectError | undefined {
  if (looksLikeRunId(batchId)) return undefined;
  return invalidFields([{ field: "batch_id", description: `must be 1 to ${limits.runId} characters of letters, digits and "_-", as a batch was answered it` }]);
}

/** Why text cannot be the id of a run, or undefined if it can. An id that merely no run has is NOT_FOUND, and the owner's to say. */
export function runIdFault(runId: string, field = "run_id"): ConnectError | undefined {
  if (looksLikeRunId(runId)) return undefined;
  return invalidFields([{ field, description: `must be 1 to ${limits.runId} characters of letters, digits and "_-", as a trigger answered it` }]);
}

/** Why a delayed run cannot be given this time, or undefined if it can. */
export function delayFault(delay: RescheduleRunRequest["delay"]): ConnectError | undefined {
  if (delay.case === "delayFor" && !isDurationWithin(delay.value, 0, longestDelayMs))
    return invalidFields([{ field: "delay_for", description: "must be 0 to 366 days" }]);
  if (delay.case === "delayUntil" && !isTimestamp(delay.value))
    return invalidFields([{ field: "delay_until", description: "must be a time of the years 1 to 9999" }]);
  return delay.case === undefined ? invalidFields([{ field: "delay_for", description: "or delay_until must be set" }]) : undefined;
}

/** Why no task can have this idempotency key, or undefined if one can. */
export function keyFault(taskId: string, key: string): ConnectError | undefined {
  const violations: Violation[] = isName(taskId) ? [] : [{ field: "task_id", description: nameRule }];
  if (key === "" || key.length > optionLimits.idempotencyKey)
    violations.push({ field: "key", description: `must be 1 to ${optionLimits.idempotencyKey} characters` });
  return violations.length > 0 ? invalidFields(violations) : undefined;
}

/** Whether an owner could have made this id. */
export function looksLikeRunId(runId: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(runId);
}

/** Bytes of what most triggers do not have. What is too large by itself is refused alone and not counted. */
function extraBytes({ tags, metadata, concurrencyKey, idempotencyKey, debounce }: TriggerOptions, whole: boolean): number {
  let bytes = concurrencyKey.length + (debounce?.key.length ?? 0);
  if (idempotencyKey) bytes += idempotencyKey.key.length + idempotencyKey.displayKey.length;
  for (const tag of tags) bytes += tag.length;
  const size = metadata?.data.length ?? 0;
  return whole || size <= optionLimits.metadataBytes ? bytes + size : bytes;
}

/**
 * Bytes of the items as the limit of a frame counts them: near the encoded size, and far cheaper than encoding.
 *
 * @param whole true for a part of a batch, all of which goes to the owner: also what is too large by itself
 */
export function frameBytes(items: TriggerItem[], whole = false): number {
  let bytes = 0;
  for (const { taskId, payload, options } of items) {
    bytes += taskId.length + (options?.queue?.length ?? 0) + 8;
    if (options !== undefined) bytes += extraBytes(options, whole);
    if (payload === undefined) continue;
    const size = payloadBytes(payload);
    if (whole || size <= itemLimits.payloadBytes) bytes += size + payload.contentType.length;
  }
  return bytes;
}
