import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { FailureSchema, type Payload } from "#gen/runlane/v1/payload_pb.js";
import type { RunResult, RunState, TriggerItem, TriggerOptions, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { LastText, notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// Messages that others are made of: payloads, what a trigger asks for, what became of it, what a run came to.

const contentTypes = new LastText();
const taskIds = new LastText();
const queues = new LastText();
const machines = new LastText();
const versions = new LastText();
const nothing = new Uint8Array();

export function writePayload(write: WireWriter, message: Payload): void {
  if (message.contentType) write.text(1, message.contentType);
  if (message.data.length > 0) write.bytes(2, message.data);
  for (const key in message.metadata) write.entry(3, key, message.metadata[key]!);
  if (message.reference !== undefined) write.text(4, message.reference);
}

export function readPayload(read: WireReader, end: number): Payload {
  const message: Payload = { $typeName: "runlane.v1.Payload", contentType: "", data: nothing, metadata: {} };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.contentType = read.sameText(contentTypes);
    else if (field === 2) message.data = read.bytes();
    else if (field === 3) read.entry(message.metadata);
    else if (field === 4) message.reference = read.text();
    else throw notByHand;
  }
  return message;
}

/** A field that holds a payload. */
export function writePayloadField(write: WireWriter, field: number, payload: Payload): void {
  const mark = write.open(field, payload.data.length < 100 ? 1 : 2);
  writePayload(write, payload);
  write.close(mark);
}

export function writeTriggerItem(write: WireWriter, message: TriggerItem): void {
  if (message.taskId) write.text(1, message.taskId);
  if (message.payload) writePayloadField(write, 2, message.payload);
  if (message.options) {
    const mark = write.open(3);
    writeTriggerOptions(write, message.options);
    write.close(mark);
  }
}

export function readTriggerItem(read: WireReader, end: number): TriggerItem {
  const message: TriggerItem = { $typeName: "runlane.v1.TriggerItem", taskId: "" };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.taskId = read.sameText(taskIds);
    else if (field === 2) message.payload = readPayload(read, read.open(message.payload));
    else if (field === 3) message.options = readTriggerOptions(read, read.open(message.options));
    else throw notByHand;
  }
  return message;
}

function writeTriggerOptions(write: WireWriter, message: TriggerOptions): void {
  if (message.maxAttempts !== undefined) write.int(1, message.maxAttempts);
  if (message.queue !== undefined) write.text(2, message.queue);
  for (const tag of message.tags) write.text(3, tag);
  if (message.metadata) writePayloadField(write, 4, message.metadata);
  if (message.machine !== undefined) write.text(5, message.machine);
  if (message.maxDurationSeconds !== undefined) write.int(6, message.maxDurationSeconds);
  if (message.version !== undefined) write.text(7, message.version);
}

function readTriggerOptions(read: WireReader, end: number): TriggerOptions {
  const message: TriggerOptions = { $typeName: "runlane.v1.TriggerOptions", tags: [] };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.maxAttempts = read.uint32();
    else if (field === 2) message.queue = read.sameText(queues);
    else if (field === 3) message.tags.push(read.text());
    else if (field === 4) message.metadata = readPayload(read, read.open(message.metadata));
    else if (field === 5) message.machine = read.sameText(machines);
    else if (field === 6) message.maxDurationSeconds = read.uint32();
    else if (field === 7) message.version = read.sameText(versions);
    else throw notByHand;
  }
  return message;
}

export function writeTriggerOutcome(write: WireWriter, { outcome }: TriggerOutcome): void {
  if (outcome.case === "runId") write.text(1, outcome.value);
  else if (outcome.case === "error") write.cold(2, StatusSchema, outcome.value);
}

export function readTriggerOutcome(read: WireReader, end: number): TriggerOutcome {
  const message: TriggerOutcome = { $typeName: "runlane.v1.TriggerOutcome", outcome: { case: undefined } };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.outcome = { case: "runId", value: read.text() };
    else if (field === 2) message.outcome = { case: "error", value: read.cold(StatusSchema, message.outcome.case) };
    else throw notByHand;
  }
  return message;
}

export function writeRunResult(write: WireWriter, message: RunResult): void {
  if (message.runId) write.text(1, message.runId);
  if (message.taskId) write.text(2, message.taskId);
  if (message.state) write.int(3, message.state);
  if (message.output) writePayloadField(write, 4, message.output);
  if (message.failure) write.cold(5, FailureSchema, message.failure);
}

export function readRunResult(read: WireReader, end: number): RunResult {
  const message: RunResult = { $typeName: "runlane.v1.RunResult", runId: "", taskId: "", state: 0 };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.runId = read.text();
    else if (field === 2) message.taskId = read.sameText(taskIds);
    else if (field === 3) message.state = read.enum() as RunState;
    else if (field === 4) message.output = readPayload(read, read.open(message.output));
    else if (field === 5) message.failure = read.cold(FailureSchema, message.failure);
    else throw notByHand;
  }
  return message;
}
