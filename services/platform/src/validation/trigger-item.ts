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

/** One rule of a payload: where it looks, and what it says of one that breaks it. */
interface PayloadRule {
  readonly field: string;
  readonly description: string;
  broken(payload: Payload): boolean;
}

const mediaType = /^[\x21-\x7e][\x20-\x7e]{0,127}$/;

const payloadRules: readonly PayloadRule[] = [
  {
    field: "content_type",
    description: "must be a media type of at most 128 printable ASCII characters, or empty for application/json",
    broken: ({ contentType }) => contentType !== "" && !mediaType.test(contentType),
  },
  {
    field: "metadata",
    description: `must have at most ${itemLimits.payloadMetadata} entries`,
    broken: ({ metadata }) => hasMoreEntries(metadata, itemLimits.payloadMetadata),
  },
  {
    field: "reference",
    description: "must stand instead of data, and be as PutPayload answered it",
    broken: ({ reference, data }) => Boolean(reference) && (data.length > 0 || reference!.length > payloadLimits.reference),
  },
];

/**
 * Why an item cannot be triggered, or undefined if it can. Depends on nothing but the item, so that a repeated frame gets the same answers.
 *
 * @param path where the item stands in the request: `items[3]`
 */
export function itemFault(item: TriggerItem, path: string): ConnectError | undefined {
  const { payload } = item;
  let violations: Violation[] | undefined;
  if (!isName(item.taskId)) violations = [{ field: `${path}.task_id`, description: nameRule }];
  if (payload) violations = withPayloadFaults(violations, payload, `${path}.payload`);
  const ofOptions = item.options && optionFaults(item.options, `${path}.options`);
  if (ofOptions) violations = [...(violations ?? []), ...ofOptions];
  if (violations) return invalidFields(violations);
  return payload && contentFault(payload, `${path}.payload`);
}

/**
 * Why nothing can have this payload, or undefined if something can.
 *
 * @param path where it stands in the request: `output`
 */
export function payloadFault(payload: Payload, path: string): ConnectError | undefined {
  const violations = withPayloadFaults(undefined, payload, path);
  return violations ? invalidFields(violations) : contentFault(payload, path);
}

function withPayloadFaults(violations: Violation[] | undefined, payload: Payload, path: string): Violation[] | undefined {
  let all = violations;
  for (const rule of payloadRules) {
    if (rule.broken(payload)) (all ??= []).push({ field: `${path}.${rule.field}`, description: rule.description });
  }
  return all;
}

function contentFault(payload: Payload, path: string): ConnectError | undefined {
  const bytes = payloadBytes(payload);
  if (bytes > itemLimits.payloadBytes) {
    return refusal("PAYLOAD_TOO_LARGE", `the payload has ${bytes} bytes; the limit is ${itemLimits.payloadBytes}: larger ones travel by reference`, {
      metadata: { field: path, bytes: String(bytes), limit: String(itemLimits.payloadBytes) },
      resource: { type: "payload", name: path },
    });
  }
  if (isJsonContent(payload.contentType) && !holdsJson(payload.data)) {
    return refusal("PAYLOAD_NOT_JSON", "the payload is not one JSON value in UTF-8", {
      metadata: { field: `${path}.data` },
      violations: [{ field: `${path}.data`, description: "must be one JSON value in UTF-8", reason: "PAYLOAD_NOT_JSON" }],
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
