import type { ConnectError } from "@connectrpc/connect";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { refusal } from "../errors.js";
import { payloadLimits } from "../payloads/payload-store.js";
import { isJsonText } from "./json-text.js";

/** What one trigger may hold, whether a client asks or running code. The protos state each limit beside the field that it binds. */
export const itemLimits = {
  /** Bytes of one payload that travels with its run, metadata included. */
  payloadBytes: 128 * 1024,
  /** Entries of a payload's metadata. */
  payloadMetadata: 8,
  /** Attempts of a run. */
  attempts: 250,
  /** Tags of a run; blank ones do not count. */
  tags: 10,
  /** Characters of a tag. */
  tag: 128,
  /** Bytes of a run's metadata. */
  metadataBytes: 256 * 1024,
  /** Seconds that an attempt may be active, at least, unless it has no limit. */
  leastDurationSeconds: 5,
} as const;

/** A field that breaks its rule. */
export interface Violation {
  /** Path from the request, as BadRequest.FieldViolation wants it: `items[3].task_id`. */
  field: string;
  /** What the rule is. */
  description: string;
}

/** One rule of an item: where it looks, and what it says of an item that breaks it. */
interface ItemRule {
  readonly field: string;
  readonly description: string;
  broken(item: TriggerItem): boolean;
}

const name = /^[A-Za-z0-9_\-./:]{1,128}$/;
const mediaType = /^[\x21-\x7e][\x20-\x7e]{0,127}$/;
const nameRule = 'must be 1 to 128 characters of letters, digits and "_-./:"';

const itemRules: readonly ItemRule[] = [
  { field: "task_id", description: nameRule, broken: (item) => !name.test(item.taskId) },
  { field: "options.queue", description: nameRule, broken: ({ options }) => options?.queue !== undefined && !name.test(options.queue) },
  {
    field: "options.max_attempts",
    description: `must be 1 to ${itemLimits.attempts}`,
    broken: ({ options }) => options?.maxAttempts !== undefined && (options.maxAttempts < 1 || options.maxAttempts > itemLimits.attempts),
  },
  {
    field: "options.tags",
    description: `must be at most ${itemLimits.tags}, blank ones left out, of at most ${itemLimits.tag} characters each`,
    broken: ({ options }) => options !== undefined && options.tags.length > 0 && tagsBroken(options.tags),
  },
  {
    field: "options.metadata",
    description: `must be a JSON object of at most ${itemLimits.metadataBytes} bytes, as application/json`,
    broken: ({ options }) => options?.metadata !== undefined && metadataBroken(options.metadata),
  },
  {
    field: "options.max_duration_seconds",
    description: `must be 0, or ${itemLimits.leastDurationSeconds} or more`,
    broken: ({ options }) => options?.maxDurationSeconds !== undefined && isDurationTooShort(options.maxDurationSeconds),
  },
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
  if (violations) return invalidFields(violations);
  if (item.payload === undefined) return undefined;
  const bytes = payloadBytes(item.payload);
  if (bytes > itemLimits.payloadBytes) {
    return refusal("PAYLOAD_TOO_LARGE", `the payload has ${bytes} bytes; the limit is ${itemLimits.payloadBytes}: larger ones travel by reference`, {
      metadata: { field: `${path}.payload`, bytes: String(bytes), limit: String(itemLimits.payloadBytes) },
      resource: { type: "payload", name: `${path}.payload` },
    });
  }
  if (isJson(item.payload.contentType) && !holdsJson(item.payload.data)) {
    return refusal("PAYLOAD_NOT_JSON", "the payload is not one JSON value in UTF-8", {
      metadata: { field: `${path}.payload.data` },
      violations: [{ field: `${path}.payload.data`, description: "must be one JSON value in UTF-8", reason: "PAYLOAD_NOT_JSON" }],
    });
  }
  return undefined;
}

/** INVALID_ARGUMENT with the fields at fault; the message shows the first. */
export function invalidFields(violations: Violation[]): ConnectError {
  const first = violations[0]!;
  return refusal("INVALID_FIELD", `${first.field} ${first.description}`, { metadata: { field: first.field }, violations });
}

/** Bytes of a payload as its limit counts them. */
export function payloadBytes(payload: Payload): number {
  let bytes = payload.data.length;
  for (const key in payload.metadata) bytes += Buffer.byteLength(key) + Buffer.byteLength(payload.metadata[key]!);
  return bytes;
}

function tagsBroken(tags: readonly string[]): boolean {
  return tags.some((tag) => tag.length > itemLimits.tag) || tags.filter((tag) => tag.trim() !== "").length > itemLimits.tags;
}

function metadataBroken({ contentType, data, reference }: Payload): boolean {
  // The first byte that is no white space tells an object from every other value.
  return !isJson(contentType) || Boolean(reference) || data.length > itemLimits.metadataBytes || !/^\s*\{/.test(startOf(data)) || !isJsonText(data);
}

function startOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, 1_024)).toString("latin1");
}

/** Whether a duration is none: not "no limit", and too short to be meant. */
export function isDurationTooShort(seconds: number): boolean {
  return seconds > 0 && seconds < itemLimits.leastDurationSeconds;
}

function isJson(contentType: string): boolean {
  if (contentType === "" || contentType === "application/json") return true;
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase() === "application/json";
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
