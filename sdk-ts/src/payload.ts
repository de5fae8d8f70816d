import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { isPlainValue } from "./values/plain-value.js";
import { readRichValue, writeRichValue } from "./values/rich-value.js";

/** Bytes that a payload or an output may have that travels with its run, metadata included. Larger ones are stored apart, and travel by reference. */
export const maxPayloadBytes = 131_072;

/** Bytes that a payload or an output may have at all. */
export const maxStoredPayloadBytes = 10_485_760;

/** Bytes of metadata that stand beside a value; more of it goes with the value. The log holds the metadata even of a value that is stored apart, and a frame must hold both. */
export const maxMetadataBytes = 32_768;

/** Whether a payload must be stored before it is sent. */
export function isLarge(payload: Payload | undefined): payload is Payload {
  if (payload === undefined) return false;
  const { data, metadata } = payload;
  if (data.length > maxPayloadBytes) return true;
  let bytes = data.length;
  for (const key in metadata) bytes += Buffer.byteLength(key) + Buffer.byteLength(metadata[key]!);
  return bytes > maxPayloadBytes;
}

const jsonType = "application/json";
/** One JSON object: `json` is the value as plain JSON, `meta` what superjson needs beside it. Trigger.dev writes all its values so. */
const superJsonType = "application/super+json";
/** Key of the metadata that holds what superjson needs. */
const codec = "superjson";

/**
 * A value as JSON, and beside it, in `metadata`, what JSON does not say of it; undefined for "no value".
 *
 * @throws TypeError if it cannot be written. `what` names it in the message.
 */
export function payloadOf(value: unknown, what: string): Payload | undefined {
  if (value === undefined) return undefined;
  let json: string | undefined;
  let meta: string | undefined;
  try {
    if (isPlainValue(value)) json = JSON.stringify(value);
    else ({ json, meta } = writeRichValue(value));
  } catch (error) {
    throw new TypeError(`${what} cannot be written as JSON: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`, { cause: error });
  }
  if (json === undefined) throw new TypeError(`${what} cannot be written as JSON: it is a ${typeof value}`);
  if (meta === undefined) return jsonPayload(json);
  if (Buffer.byteLength(meta) <= maxMetadataBytes) return jsonPayload(json, { [codec]: meta });
  return { ...jsonPayload(`{"json":${json},"meta":${meta}}`), contentType: superJsonType };
}

/**
 * The value of a payload, as it was written; undefined for "no value".
 *
 * @throws Error if it is not JSON, or the server keeps its bytes apart and they were not got.
 */
export function valueOfPayload(payload: Payload | undefined): unknown {
  if (!hasValue(payload)) return undefined;
  const parsed = parse(payload);
  if (payload.contentType === superJsonType) {
    const { json, meta } = envelope(parsed);
    return meta === undefined ? json : readRichValue(json, meta);
  }
  const meta = payload.metadata[codec];
  return meta === undefined ? parsed : readRichValue(parsed, JSON.parse(meta));
}

/** The value of a payload as plain JSON, as other languages read it: a Date is a string. Throws as {@link valueOfPayload}. */
export function plainValueOfPayload(payload: Payload | undefined): unknown {
  if (!hasValue(payload)) return undefined;
  const parsed = parse(payload);
  return payload.contentType === superJsonType ? envelope(parsed).json : parsed;
}

function jsonPayload(json: string, metadata: Record<string, string> = {}): Payload {
  return { $typeName: "runlane.v1.Payload", contentType: jsonType, data: Buffer.from(json), metadata };
}

function hasValue(payload: Payload | undefined): payload is Payload {
  if (payload?.reference) throw new Error(`the server keeps the bytes of this value apart, as ${payload.reference}`);
  return payload !== undefined && payload.data.length > 0;
}

function parse({ contentType, data }: Payload): unknown {
  if (contentType !== jsonType && contentType !== "" && contentType !== superJsonType)
    throw new Error(`a value of type ${contentType} cannot be read: this version of the SDK reads ${jsonType}`);
  return JSON.parse((data instanceof Buffer ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)).toString());
}

function envelope(parsed: unknown): { json?: unknown; meta?: unknown } {
  if (typeof parsed !== "object" || parsed === null) throw new Error(`a value of type ${superJsonType} must be an object with "json" and "meta"`);
  return parsed;
}
