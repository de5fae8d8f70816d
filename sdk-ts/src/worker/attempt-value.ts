import type { Payload } from "#gen/runlane/v1/payload_pb.js";

/** Bytes that a payload or an output may have. */
export const maxPayloadLength = 131_072;

const jsonType = "application/json";
const noData = new Uint8Array(0);

/**
 * The value that a run was triggered with; undefined for "no value".
 *
 * @throws Error if it is not JSON.
 */
export function payloadValue(payload: Payload | undefined): unknown {
  if (payload === undefined || payload.data.length === 0) return undefined;
  if (payload.contentType !== "" && payload.contentType !== jsonType)
    throw new Error(`the payload's content type is ${payload.contentType}, and this worker reads ${jsonType}`);
  const { buffer, byteOffset, byteLength } = payload.data;
  return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString());
}

/**
 * What a task returned, as JSON; undefined is "no value".
 *
 * @throws Error if JSON can not say it, or it has more than 128 KiB.
 */
export function outputPayload(value: unknown): Payload {
  const json = JSON.stringify(value);
  if (json === undefined && value !== undefined) throw new TypeError(`a ${typeof value} can not be written as JSON`);
  const data = json === undefined ? noData : Buffer.from(json);
  if (data.length > maxPayloadLength) throw new RangeError(`the output has ${data.length} bytes as JSON, and at most ${maxPayloadLength} are allowed`);
  return { $typeName: "runlane.v1.Payload", contentType: jsonType, data, metadata: {} };
}
