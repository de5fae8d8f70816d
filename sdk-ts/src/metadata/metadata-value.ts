import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { payloadTooLargeError } from "../errors/api-error.js";

/** What metadata is made of: JSON. Whatever else is given is written as JSON does: a Date becomes a string, functions go. */
export type MetadataValue = string | number | boolean | null | MetadataValue[] | { [key: string]: MetadataValue };

/** The metadata of a run: a JSON object of at most 256 KiB. */
export type RunMetadata = Record<string, MetadataValue>;

/** Bytes that the metadata of a run may have as JSON. As in Trigger.dev. */
export const maxMetadataBytes = 262_144;

/**
 * A value as JSON would have it; undefined for what JSON leaves out.
 *
 * @throws TypeError if JSON cannot say it. `what` names it in the message.
 */
export function metadataValue(value: unknown, what: string): MetadataValue | undefined {
  // Most values are these, and a copy of them is the value.
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  const json = jsonOf(value, what);
  return json === undefined ? undefined : (JSON.parse(json) as MetadataValue);
}

/** Whether a value can be a run's metadata. */
export function isRunMetadata(value: unknown): value is RunMetadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The metadata that a message carries; an empty object for none. */
export function runMetadataOf(payload: Payload | undefined): RunMetadata {
  if (payload === undefined || payload.data.length === 0) return {};
  const { buffer, byteOffset, byteLength } = payload.data;
  return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString()) as RunMetadata;
}

/**
 * Metadata as messages carry it. `where` begins the message of errors.
 *
 * @throws TypeError for what is no object of JSON; ApiError (413) for more than 256 KiB
 */
export function metadataPayload(where: string, given: unknown): Payload {
  const value = metadataValue(given, where);
  if (!isRunMetadata(value)) throw new TypeError(`${where} is an object`);
  const data = Buffer.from(JSON.stringify(value));
  if (data.length > maxMetadataBytes) throw payloadTooLargeError(`${where} has ${data.length} bytes as JSON, and at most ${maxMetadataBytes} are allowed`);
  return { $typeName: "runlane.v1.Payload", contentType: "application/json", data, metadata: {} };
}

function jsonOf(value: unknown, what: string): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} cannot be written as JSON: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`, { cause: error });
  }
}
