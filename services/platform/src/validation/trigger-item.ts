import type { ConnectError } from "@connectrpc/connect";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { refusal } from "../errors.js";
import { payloadLimits } from "../payloads/payload-store.js";
import { isJsonContent, isJsonText } from "./json-text.js";
import { isName, nameRule } from "./names.js";
import { optionFaults } from "./trigger-options.js";
import { invalidFields, type Violation } from "./violation.js";

/** What the payload of one trigger may be, whether a client asks or running code. The protos state each limit beside the field that it binds. */
export const itemLimits = {
  /** Bytes of one payload that travels with its run, metadata included. */
  payloadBytes: 128 * 1024,
  /** Entries of a payload's metadata. */
  payloadMetadata: 8,
} as const;

/** One rule of an item: where it looks, and what it says of an item that breaks it. */
interface ItemRule {
  readonly field: string;
  readonly description: string;
  broken(item: TriggerItem): boolean;
}

const mediaType = /^[\x21-\x7e][\x20-\x7e]{0,127}$/;

const itemRules: readonly ItemRule[] = [
  { field: "task_id", description: nameRule, broken: (item) => !isName(item.taskId) },
  {
    field: "payload.content_type",
    description: "must be a media type of at most 128 printable ASCII characters, or empty for application/json",
    broken: ({ payload }) => payload !== undefined && payload.contentType !== "" && !mediaType.test(payload.contentType),
  },
  {
    field: "payload.metadata",
    description: `must have at most ${itemLimits.payloadMetadata} entries`,
    broken: ({ payload }) => payload !== undefined && hasMoreEntries(payload.metadata, itemLimits.payloadMetadata),
  },
  {
    field: "payload.reference",
    description: "must stand instead of data, and be as PutPayload answered it",
    broken: ({ payload }) => Boolean(payload?.reference) && (payload!.data.length > 0 || payload!.reference!.length > payloadLimits.reference),
  },
];

/**
 * Why an item cannot be triggered, or undefined if it can. Depends on nothing but the item, so that a repeated frame gets the same answers.
 *
 * @param path where the item stands in the request: `items[3]`
 */
export function itemFault(item: TriggerItem, path: string): ConnectError | undefined {
  let violations: Violation[] | undefined;
  for (const rule of itemRules) {
    if (rule.broken(item)) (violations ??= []).push({ field: `${path}.${rule.field}`, description: rule.description });
  }
  const ofOptions = item.options && optionFaults(item.options, `${path}.options`);
  if (ofOptions) violations = [...(violations ?? []), ...ofOptions];
  if (violations) return invalidFields(violations);
  if (item.payload === undefined) return undefined;
  const bytes = payloadBytes(item.payload);
  if (bytes > itemLimits.payloadBytes) {
    return refusal("PAYLOAD_TOO_LARGE", `the payload has ${bytes} bytes; the limit is ${itemLimits.payloadBytes}: larger ones travel by reference`, {
      metadata: { field: `${path}.payload`, bytes: String(bytes), limit: String(itemLimits.payloadBytes) },
      resource: { type: "payload", name: `${path}.payload` },
    });
  }
  if (isJsonContent(item.payload.contentType) && !holdsJson(item.payload.data)) {
    return refusal("PAYLOAD_NOT_JSON", "the payload is not one JSON value in UTF-8", {
      metadata: { field: `${path}.payload.data` },
      violations: [{ field: `${path}.payload.data`, description: "must be one JSON value in UTF-8", reason: "PAYLOAD_NOT_JSON" }],
    });
  }
  return undefined;
}

/** Bytes of a payload as its limit counts them. */
export function payloadBytes(payload: Payload): number {
  let bytes = payload.data.length;
  for (const key in payload.metadata) bytes += Buffer.byteLength(key) + Buffer.byteLength(payload.metadata[key]!);
  return bytes;
}

/** An empty payload is no value, and right. */
function holdsJson(data: Uint8Array): boolean {
  return data.length === 0 || isJsonText(data);
}

function hasMoreEntries(map: Record<string, string>, most: number): boolean {
  let count = 0;
  for (const _ in map) if (++count > most) return true;
  return false;
}
