import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type OwnerFrame, OwnerFrameSchema } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type WorkRequest, WorkRequestSchema, type WorkResponse, WorkResponseSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

/** A worker's frame. */
export function request(init: MessageInitShape<typeof WorkRequestSchema>): Uint8Array {
  return toBinary(WorkRequestSchema, create(WorkRequestSchema, init));
}

/** What a worker's frame says. */
export function readRequest(frame: Uint8Array): WorkRequest {
  return fromBinary(WorkRequestSchema, frame);
}

/** What a frame for the worker says. */
export function readResponse(frame: Uint8Array): WorkResponse {
  return fromBinary(WorkResponseSchema, frame);
}

/** A frame of the owner for one stream. */
export function ownerFrame(streamId: string, sequence: number, response: MessageInitShape<typeof WorkResponseSchema>): OwnerFrame {
  const frame = toBinary(WorkResponseSchema, create(WorkResponseSchema, response));
  return create(OwnerFrameSchema, { streamId, sequence: BigInt(sequence), frame });
}

/** A Hello as a worker with one task sends it. */
export const hello = request({ hello: { protocolRevision: 1, workerId: "w1", incarnation: 1n, slots: 10, tasks: [{ id: "t" }] } });

/** A heartbeat. */
export const heartbeat = (sequence: number) => request({ heartbeat: { sequence: BigInt(sequence) } });
