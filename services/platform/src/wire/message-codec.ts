import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { LogRecordSchema } from "#gen/runlane/internal/v1/log_pb.js";
import {
  DeliverFramesRequestSchema,
  NotifyRequestSchema,
  RelayFramesRequestSchema,
  TriggerRunsRequestSchema,
  TriggerRunsResponseSchema,
} from "#gen/runlane/internal/v1/owner_service_pb.js";
import { SnapshotRecordSchema } from "#gen/runlane/internal/v1/snapshot_pb.js";
import { TriggerStreamRequestSchema, TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { WorkRequestSchema, WorkResponseSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { readLogRecord, writeLogRecord } from "./log-wire.js";
import * as owner from "./owner-wire.js";
import { readSnapshotRecord, writeSnapshotRecord } from "./snapshot-wire.js";
import { readTriggerStreamRequest, writeTriggerStreamResponse } from "./trigger-stream-wire.js";
import { notByHand, type ReadMessage, WireReader } from "./wire-reader.js";
import { WireWriter, type WriteMessage } from "./wire-writer.js";
import { readWorkRequest, writeWorkResponse } from "./worker-wire.js";

/** How a message is written and read by hand, where it is. */
interface HandCodec {
  readonly write?: WriteMessage<never>;
  readonly read?: ReadMessage<unknown>;
}

/**
 * The messages that every run passes through, in the directions that a server needs. Whoever adds a field to one of them adds a line to its `write…` and one to its `read…`; the property test says so
 * if it is forgotten.
 */
export const handCodecs: ReadonlyMap<DescMessage, HandCodec> = new Map<DescMessage, HandCodec>([
  by(TriggerStreamRequestSchema, { read: readTriggerStreamRequest }),
  by(TriggerStreamResponseSchema, { write: writeTriggerStreamResponse }),
  by(TriggerRunsRequestSchema, { write: owner.writeTriggerRunsRequest, read: owner.readTriggerRunsRequest }),
  by(TriggerRunsResponseSchema, { write: owner.writeTriggerRunsResponse, read: owner.readTriggerRunsResponse }),
  by(RelayFramesRequestSchema, { write: owner.writeRelayFramesRequest, read: owner.readRelayFramesRequest }),
  by(DeliverFramesRequestSchema, { write: owner.writeDeliverFramesRequest, read: owner.readDeliverFramesRequest }),
  by(NotifyRequestSchema, { write: owner.writeNotifyRequest, read: owner.readNotifyRequest }),
  by(WorkRequestSchema, { read: readWorkRequest }),
  by(WorkResponseSchema, { write: writeWorkResponse }),
  by(LogRecordSchema, { write: writeLogRecord, read: readLogRecord }),
  by(SnapshotRecordSchema, { write: writeSnapshotRecord, read: readSnapshotRecord }),
]);

const writer = new WireWriter();

/** `toBinary` of protobuf-es, by hand for the messages that every run passes through. Fields that this version does not know are not written. */
export function encodeMessage<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array {
  const write = handCodecs.get(schema)?.write;
  return write ? writer.encode(write as WriteMessage<MessageShape<D>>, message) : toBinary(schema, message);
}

/**
 * `fromBinary` of protobuf-es, by hand for the messages that every run passes through. Bytes in it are views of `bytes`.
 *
 * @throws what `fromBinary` throws, if the bytes are no such message
 */
export function decodeMessage<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  const read = handCodecs.get(schema)?.read as ReadMessage<MessageShape<D>> | undefined;
  if (!read) return fromBinary(schema, bytes);
  return readByHand(read, bytes) ?? fromBinary(schema, bytes);
}

/** The message, unless it holds something that is not read by hand. */
export function readByHand<M>(read: ReadMessage<M>, bytes: Uint8Array): M | undefined {
  try {
    return read(new WireReader(bytes), bytes.length);
  } catch (error) {
    if (error === notByHand) return undefined;
    throw error;
  }
}

/** Holds the codec to the type of its message. */
function by<D extends DescMessage>(schema: D, codec: { write?: WriteMessage<MessageShape<D>>; read?: ReadMessage<MessageShape<D>> }): [DescMessage, HandCodec] {
  return [schema, codec];
}
