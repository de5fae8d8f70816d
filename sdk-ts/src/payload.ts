import type { Payload } from "#gen/runlane/v1/payload_pb.js";

/** Bytes that a payload or an output may have that travels with its run. Larger ones are stored apart, and travel by reference. */
export const maxPayloadBytes = 131_072;

/** Bytes that a payload or an output may have at all. */
export const maxStoredPayloadBytes = 10_485_760;

/** Whether a payload must be stored before it is sent. */
export function isLarge(payload: Payload | undefined): payload is Payload {
  return payload !== undefined && payload.data.length > maxPayloadBytes;
}

const jsonType = "application/json";

/**
 * A value as JSON; undefined for "no value".
 *
 * @throws TypeError if JSON cannot say it. `what` names it in the message.
 */
export function payloadOf(value: unknown, what: string): Payload | undefined {
  if (value === undefined) return undefined;
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} cannot be written as JSON: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`, { cause: error });
  }
  if (json === undefined) throw new TypeError(`${what} cannot be written as JSON: it is a ${typeof value}`);
  return { $typeName: "runlane.v1.Payload", contentType: jsonType, data: Buffer.from(json), metadata: {} };
}

/**
 * The value of a payload; undefined for "no value".
 *
 * @throws Error if it is not JSON, or the server keeps its bytes apart and they were not got.
 */
export function valueOfPayload(payload: Payload | undefined): unknown {
  if (payload?.reference) throw new Error(`the server keeps the bytes of this value apart, as ${payload.reference}`);
  if (payload === undefined || payload.data.length === 0) return undefined;
  const { contentType, data } = payload;
  if (contentType !== jsonType && contentType !== "")
    throw new Error(`a value of type ${contentType} cannot be read: this version of the SDK reads ${jsonType}`);
  return JSON.parse((data instanceof Buffer ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)).toString());
}
