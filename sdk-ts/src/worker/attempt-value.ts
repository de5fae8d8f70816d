import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { maxStoredPayloadBytes, payloadOf } from "../payload.js";

const noData = new Uint8Array(0);

/**
 * What a task returned, as its attempt's output; a large one must be stored before it is reported.
 *
 * @throws Error if JSON cannot say it, or it has more than 10 MiB.
 */
export function outputPayload(value: unknown): Payload {
  const payload = payloadOf(value, "the output") ?? { $typeName: "runlane.v1.Payload", contentType: "", data: noData, metadata: {} };
  const { length } = payload.data;
  if (length > maxStoredPayloadBytes) throw new RangeError(`the output has ${length} bytes as JSON, and at most ${maxStoredPayloadBytes} are allowed`);
  return payload;
}
