import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import {
  type RunResults,
  type TriggerFrame,
  type TriggerOutcomes,
  type TriggerStreamRequest,
  type TriggerStreamResponse,
  UnwatchFrameSchema,
  WatchFrameSchema,
} from "#gen/runlane/v1/run_service_pb.js";
import { readBatchPart, readTriggerItem, writeBatchOutcomeField, writeRunResult, writeTriggerOutcome } from "./run-wire.js";
import { notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// The stream between a program and its scheduler, as the scheduler sees it.

export function readTriggerStreamRequest(read: WireReader, end: number): TriggerStreamRequest {
  const message: TriggerStreamRequest = { $typeName: "runlane.v1.TriggerStreamRequest", frame: { case: undefined } };
  while (read.more(end)) {
    const field = read.field();
    const before = message.frame.case;
    if (field === 1) message.frame = { case: "trigger", value: readTriggerFrame(read, read.open(before)) };
    else if (field === 2) message.frame = { case: "watch", value: read.cold(WatchFrameSchema, before) };
    else if (field === 3) message.frame = { case: "unwatch", value: read.cold(UnwatchFrameSchema, before) };
    else throw notByHand;
  }
  return message;
}

function readTriggerFrame(read: WireReader, end: number): TriggerFrame {
  const message: TriggerFrame = { $typeName: "runlane.v1.TriggerFrame", requestId: "", items: [], awaitResults: [] };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.requestId = read.text();
    else if (field === 2) message.items.push(readTriggerItem(read, read.open()));
    else if (field === 3) read.uint32s(message.awaitResults);
    else if (field === 4) message.batch = readBatchPart(read, read.open(message.batch));
    else throw notByHand;
  }
  return message;
}

export function writeTriggerStreamResponse(write: WireWriter, { frame }: TriggerStreamResponse): void {
  if (frame.case === "outcomes") {
    const mark = write.open(1, 2);
    writeTriggerOutcomes(write, frame.value);
    write.close(mark);
  } else if (frame.case === "results") {
    const mark = write.open(2, 2);
    writeRunResults(write, frame.value);
    write.close(mark);
  }
}

function writeTriggerOutcomes(write: WireWriter, message: TriggerOutcomes): void {
  if (message.requestId) write.text(1, message.requestId);
  for (const outcome of message.outcomes) {
    const mark = write.open(2);
    writeTriggerOutcome(write, outcome);
    write.close(mark);
  }
  if (message.error) write.cold(3, StatusSchema, message.error);
  if (message.logPosition) write.text(4, message.logPosition);
  if (message.batch) writeBatchOutcomeField(write, 5, message.batch);
}

function writeRunResults(write: WireWriter, message: RunResults): void {
  for (const result of message.results) {
    const mark = write.open(1);
    writeRunResult(write, result);
    write.close(mark);
  }
  for (const runId of message.unknownRunIds) write.text(2, runId);
  if (message.logPosition) write.text(3, message.logPosition);
}
