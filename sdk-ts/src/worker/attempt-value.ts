import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { maxPayloadBytes, payloadOf } from "../payload.js";

const noData = new Uint8Array(0);

/**
 * What a task returned, as its attempt's output.
 *
 * @throws Error if JSON cannot say it, or it has more than 128 KiB.
 */
export function outputPayload(value: unknown): Payload {
  const payload = payloadOf(value, "the output") ?? { $typeName: "runlane.v1.Payload", contentType: "", data: noData, metadata: {} };
  const { length } = payload.data;
  if (length > maxPayloadBytes) throw new RangeError(`the output has ${length} bytes as JSON, and at most ${maxPayloadBytes} are allowed`);
  return payload;
}
