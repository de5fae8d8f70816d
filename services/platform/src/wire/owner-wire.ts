import {
  type DeliverFramesRequest,
  type NotifyRequest,
  type OwnerFrame,
  type RelayFramesRequest,
  StreamEndSchema,
  type TriggerRunsRequest,
  type TriggerRunsResponse,
  type WorkerFrame,
} from "#gen/runlane/internal/v1/owner_service_pb.js";
import { RunSchema } from "#gen/runlane/v1/run_pb.js";
import {
  readBatchOutcome,
  readBatchPart,
  readRunResult,
  readTriggerItem,
  readTriggerOutcome,
  writeBatchOutcomeField,
  writeBatchPartField,
  writeRunResult,
  writeTriggerItem,
  writeTriggerOutcome,
} from "./run-wire.js";
import { LastText, notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// What scheduler, executor and owner tell each other of every run.

const addresses = new LastText();
const environments = new LastText();
const streamIds = new LastText();
const nothing = new Uint8Array();

export function writeTriggerRunsRequest(write: WireWriter, message: TriggerRunsRequest): void {
  if (message.environment) write.text(1, message.environment);
  if (message.requestId) write.text(2, message.requestId);
  for (const item of message.items) {
    const mark = write.open(3);
    writeTriggerItem(write, item);
    write.close(mark);
  }
  write.ints(4, message.awaitResults);
  if (message.subscriber) write.text(5, message.subscriber);
  if (message.batch) writeBatchPartField(write, 6, message.batch);
  if (message.replayOfRunId) write.text(7, message.replayOfRunId);
}

export function readTriggerRunsRequest(read: WireReader, end: number): TriggerRunsRequest {
  const message: TriggerRunsRequest = {
    $typeName: "runlane.internal.v1.TriggerRunsRequest",
    environment: "",
    requestId: "",
    items: [],
    awaitResults: [],
    subscriber: "",
    replayOfRunId: "",
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.environment = read.sameText(environments);
    else if (field === 2) message.requestId = read.text();
    else if (field === 3) message.items.push(readTriggerItem(read, read.open()));
    else if (field === 4) read.uint32s(message.awaitResults);
    else if (field === 5) message.subscriber = read.sameText(addresses);
    else if (field === 6) message.batch = readBatchPart(read, read.open(message.batch));
    else if (field === 7) message.replayOfRunId = read.text();
    else throw notByHand;
  }
  return message;
}

export function writeTriggerRunsResponse(write: WireWriter, message: TriggerRunsResponse): void {
  for (const outcome of message.outcomes) {
    const mark = write.open(1);
    writeTriggerOutcome(write, outcome);
    write.close(mark);
  }
  if (message.logSequence) write.int64(2, message.logSequence);
  if (message.batch) writeBatchOutcomeField(write, 3, message.batch);
}

export function readTriggerRunsResponse(read: WireReader, end: number): TriggerRunsResponse {
  const message: TriggerRunsResponse = { $typeName: "runlane.internal.v1.TriggerRunsResponse", outcomes: [], logSequence: 0n };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.outcomes.push(readTriggerOutcome(read, read.open()));
    else if (field === 2) message.logSequence = read.int64();
    else if (field === 3) message.batch = readBatchOutcome(read, read.open(message.batch));
    else throw notByHand;
  }
  return message;
}

export function writeRelayFramesRequest(write: WireWriter, message: RelayFramesRequest): void {
  if (message.executor) write.text(1, message.executor);
  for (const frame of message.frames) {
    const mark = write.open(2, 2);
    writeWorkerFrame(write, frame);
    write.close(mark);
  }
}

export function readRelayFramesRequest(read: WireReader, end: number): RelayFramesRequest {
  const message: RelayFramesRequest = { $typeName: "runlane.internal.v1.RelayFramesRequest", executor: "", frames: [] };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.executor = read.sameText(addresses);
    else if (field === 2) message.frames.push(readWorkerFrame(read, read.open()));
    else throw notByHand;
  }
  return message;
}

function writeWorkerFrame(write: WireWriter, message: WorkerFrame): void {
  if (message.streamId) write.text(1, message.streamId);
  if (message.sequence) write.int64(2, message.sequence);
  if (message.environment) write.text(3, message.environment);
  if (message.frame.length > 0) write.bytes(4, message.frame);
  if (message.closed) write.yes(5);
}

function readWorkerFrame(read: WireReader, end: number): WorkerFrame {
  const message: WorkerFrame = {
    $typeName: "runlane.internal.v1.WorkerFrame",
    streamId: "",
    sequence: 0n,
    environment: "",
    frame: nothing,
    closed: false,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.streamId = read.sameText(streamIds);
    else if (field === 2) message.sequence = read.int64();
    else if (field === 3) message.environment = read.sameText(environments);
    else if (field === 4) message.frame = read.bytes();
    else if (field === 5) message.closed = read.bool();
    else throw notByHand;
  }
  return message;
}

export function writeDeliverFramesRequest(write: WireWriter, message: DeliverFramesRequest): void {
  if (message.epoch) write.int64(1, message.epoch);
  for (const frame of message.frames) {
    const mark = write.open(2, 2);
    writeOwnerFrame(write, frame);
    write.close(mark);
  }
}

export function readDeliverFramesRequest(read: WireReader, end: number): DeliverFramesRequest {
  const message: DeliverFramesRequest = { $typeName: "runlane.internal.v1.DeliverFramesRequest", epoch: 0n, frames: [] };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.epoch = read.int64();
    else if (field === 2) message.frames.push(readOwnerFrame(read, read.open()));
    else throw notByHand;
  }
  return message;
}

function writeOwnerFrame(write: WireWriter, message: OwnerFrame): void {
  if (message.streamId) write.text(1, message.streamId);
  if (message.sequence) write.int64(2, message.sequence);
  if (message.frame.length > 0) write.bytes(3, message.frame);
  if (message.end) write.cold(4, StreamEndSchema, message.end);
}

function readOwnerFrame(read: WireReader, end: number): OwnerFrame {
  const message: OwnerFrame = { $typeName: "runlane.internal.v1.OwnerFrame", streamId: "", sequence: 0n, frame: nothing };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.streamId = read.sameText(streamIds);
    else if (field === 2) message.sequence = read.int64();
    else if (field === 3) message.frame = read.bytes();
    else if (field === 4) message.end = read.cold(StreamEndSchema, message.end);
    else throw notByHand;
  }
  return message;
}

export function writeNotifyRequest(write: WireWriter, message: NotifyRequest): void {
  if (message.epoch) write.int64(1, message.epoch);
  for (const result of message.results) {
    const mark = write.open(2);
    writeRunResult(write, result);
    write.close(mark);
  }
  for (const run of message.changes) write.cold(3, RunSchema, run);
  if (message.logSequence) write.int64(4, message.logSequence);
}

export function readNotifyRequest(read: WireReader, end: number): NotifyRequest {
  const message: NotifyRequest = { $typeName: "runlane.internal.v1.NotifyRequest", epoch: 0n, results: [], changes: [], logSequence: 0n };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.epoch = read.int64();
    else if (field === 2) message.results.push(readRunResult(read, read.open()));
    else if (field === 3) message.changes.push(read.cold(RunSchema));
    else if (field === 4) message.logSequence = read.int64();
    else throw notByHand;
  }
  return message;
}
