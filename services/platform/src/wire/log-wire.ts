import {
  type AttemptSucceeded,
  type Batch,
  EpochStartedSchema,
  type Event,
  EventSchema,
  type FoundRun,
  type LogRecord,
  type NewRun,
  RefusedItemSchema,
  type RunAssigned,
  type RunsAccepted,
  type RunsCreated,
} from "#gen/runlane/internal/v1/log_pb.js";
import { FailureSchema } from "#gen/runlane/v1/payload_pb.js";
import { readPayload, writePayloadField } from "./run-wire.js";
import { readSettings, writeSettings } from "./settings-wire.js";
import { LastText, notByHand, type ReadMessage, type WireReader } from "./wire-reader.js";
import type { WireWriter, WriteMessage } from "./wire-writer.js";

// Records of the log. Nearly all of it is four kinds of events; those are written and read by hand.

const environments = new LastText();
const taskIds = new LastText();
const queues = new LastText();

export function writeLogRecord(write: WireWriter, { record }: LogRecord): void {
  if (record.case === "epochStarted") write.cold(1, EpochStartedSchema, record.value);
  else if (record.case === "batch") {
    const mark = write.open(2, 2);
    writeBatch(write, record.value);
    write.close(mark);
  }
}

export function readLogRecord(read: WireReader, end: number): LogRecord {
  const message: LogRecord = { $typeName: "runlane.internal.v1.LogRecord", record: { case: undefined } };
  while (read.more(end)) {
    const field = read.field();
    const before = message.record.case;
    if (field === 1) message.record = { case: "epochStarted", value: read.cold(EpochStartedSchema, before) };
    else if (field === 2) message.record = { case: "batch", value: readBatch(read, read.open(before)) };
    else throw notByHand;
  }
  return message;
}

function writeBatch(write: WireWriter, message: Batch): void {
  if (message.epoch) write.int64(1, message.epoch);
  if (message.number) write.int64(2, message.number);
  if (message.nowMs) write.int64(3, message.nowMs);
  for (const event of message.events) writeEvent(write, event);
}

function readBatch(read: WireReader, end: number): Batch {
  const message: Batch = { $typeName: "runlane.internal.v1.Batch", epoch: 0n, number: 0n, nowMs: 0n, events: [] };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.epoch = read.int64();
    else if (field === 2) message.number = read.int64();
    else if (field === 3) message.nowMs = read.int64();
    else if (field === 4) message.events.push(readEvent(read, read.open()));
    else throw notByHand;
  }
  return message;
}

function writeEvent(write: WireWriter, message: Event): void {
  const { event } = message;
  if (event.case === "runsCreated") writeKind(write, 2, event.value, writeRunsCreated, 2);
  else if (event.case === "runAssigned") writeKind(write, 7, event.value, writeRunAssigned);
  else if (event.case === "runsAccepted") writeKind(write, 8, event.value, writeRunsAccepted);
  else if (event.case === "attemptSucceeded") writeKind(write, 10, event.value, writeAttemptSucceeded);
  else write.cold(4, EventSchema, message);
}

/** An event, field 4 of its batch, that holds a message of a frequent kind. */
function writeKind<M>(write: WireWriter, kind: number, value: M, writeValue: WriteMessage<M>, lengthBytes = 1): void {
  const event = write.open(4, lengthBytes);
  const mark = write.open(kind, lengthBytes);
  writeValue(write, value);
  write.close(mark);
  write.close(event);
}

function readEvent(read: WireReader, end: number): Event {
  const kind = read.more(end) ? read.peek() : 0;
  let event: Event["event"];
  if (kind === 2) event = { case: "runsCreated", value: readKind(read, readRunsCreated) };
  else if (kind === 7) event = { case: "runAssigned", value: readKind(read, readRunAssigned) };
  else if (kind === 8) event = { case: "runsAccepted", value: readKind(read, readRunsAccepted) };
  else if (kind === 10) event = { case: "attemptSucceeded", value: readKind(read, readAttemptSucceeded) };
  else return read.rest(EventSchema, end);
  if (read.more(end)) throw notByHand;
  return { $typeName: "runlane.internal.v1.Event", event };
}

function readKind<M>(read: WireReader, readValue: ReadMessage<M>): M {
  read.field();
  return readValue(read, read.open());
}

function writeRunsCreated(write: WireWriter, message: RunsCreated): void {
  if (message.environment) write.text(1, message.environment);
  if (message.requestId) write.text(2, message.requestId);
  if (message.firstNumber) write.int64(3, message.firstNumber);
  for (const run of message.runs) {
    const mark = write.open(4);
    writeNewRun(write, run);
    write.close(mark);
  }
  for (const item of message.refused) write.cold(5, RefusedItemSchema, item);
  if (message.parent) write.int64(6, message.parent);
  if (message.commandId) write.int(7, message.commandId);
  if (message.version) write.text(8, message.version);
  for (const found of message.found) {
    const mark = write.open(9);
    if (found.index) write.int(1, found.index);
    if (found.run) write.int64(2, found.run);
    if (found.completed) write.int(3, 1);
    write.close(mark);
  }
  if (message.batch) write.int64(10, message.batch);
  if (message.batchIndex) write.int(11, message.batchIndex);
}

function readRunsCreated(read: WireReader, end: number): RunsCreated {
  const message: RunsCreated = {
    $typeName: "runlane.internal.v1.RunsCreated",
    environment: "",
    requestId: "",
    firstNumber: 0n,
    runs: [],
    refused: [],
    parent: 0n,
    commandId: 0,
    version: "",
    found: [],
    batch: 0n,
    batchIndex: 0,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.environment = read.sameText(environments);
    else if (field === 2) message.requestId = read.text();
    else if (field === 3) message.firstNumber = read.int64();
    else if (field === 4) message.runs.push(readNewRun(read, read.open()));
    else if (field === 5) message.refused.push(read.cold(RefusedItemSchema));
    else if (field === 6) message.parent = read.int64();
    else if (field === 7) message.commandId = read.uint32();
    else if (field === 8) message.version = read.text();
    else if (field === 9) message.found.push(readFoundRun(read, read.open()));
    else if (field === 10) message.batch = read.int64();
    else if (field === 11) message.batchIndex = read.uint32();
    else throw notByHand;
  }
  return message;
}

function readFoundRun(read: WireReader, end: number): FoundRun {
  const message: FoundRun = { $typeName: "runlane.internal.v1.FoundRun", index: 0, run: 0n, completed: false };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.index = read.uint32();
    else if (field === 2) message.run = read.int64();
    else if (field === 3) message.completed = read.uint32() !== 0;
    else throw notByHand;
  }
  return message;
}

function writeNewRun(write: WireWriter, message: NewRun): void {
  if (message.taskId) write.text(1, message.taskId);
  if (message.payload) writePayloadField(write, 2, message.payload);
  if (message.queue) write.text(3, message.queue);
  if (message.maxAttempts) write.int(4, message.maxAttempts);
  if (message.settings) {
    const mark = write.open(5);
    writeSettings(write, message.settings);
    write.close(mark);
  }
  if (message.failure) write.cold(6, FailureSchema, message.failure);
}

function readNewRun(read: WireReader, end: number): NewRun {
  const message: NewRun = { $typeName: "runlane.internal.v1.NewRun", taskId: "", queue: "", maxAttempts: 0 };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.taskId = read.sameText(taskIds);
    else if (field === 2) message.payload = readPayload(read, read.open(message.payload));
    else if (field === 3) message.queue = read.sameText(queues);
    else if (field === 4) message.maxAttempts = read.uint32();
    else if (field === 5) message.settings = readSettings(read, read.open(message.settings));
    else if (field === 6) message.failure = read.cold(FailureSchema, message.failure);
    else throw notByHand;
  }
  return message;
}

function writeRunAssigned(write: WireWriter, message: RunAssigned): void {
  if (message.run) write.int64(1, message.run);
  if (message.session) write.int64(2, message.session);
  if (message.attempt) write.int(3, message.attempt);
  if (message.nonce) write.fixed64(4, message.nonce);
  if (message.resumed) write.yes(5);
}

function readRunAssigned(read: WireReader, end: number): RunAssigned {
  const message: RunAssigned = { $typeName: "runlane.internal.v1.RunAssigned", run: 0n, session: 0n, attempt: 0, nonce: 0n, resumed: false };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.run = read.int64();
    else if (field === 2) message.session = read.int64();
    else if (field === 3) message.attempt = read.uint32();
    else if (field === 4) message.nonce = read.fixed64();
    else if (field === 5) message.resumed = read.uint32() !== 0;
    else throw notByHand;
  }
  return message;
}

function writeRunsAccepted(write: WireWriter, message: RunsAccepted): void {
  write.int64s(1, message.runs);
}

function readRunsAccepted(read: WireReader, end: number): RunsAccepted {
  const message: RunsAccepted = { $typeName: "runlane.internal.v1.RunsAccepted", runs: [] };
  while (read.more(end)) {
    if (read.field() === 1) read.int64s(message.runs);
    else throw notByHand;
  }
  return message;
}

function writeAttemptSucceeded(write: WireWriter, message: AttemptSucceeded): void {
  if (message.run) write.int64(1, message.run);
  if (message.output) writePayloadField(write, 2, message.output);
}

function readAttemptSucceeded(read: WireReader, end: number): AttemptSucceeded {
  const message: AttemptSucceeded = { $typeName: "runlane.internal.v1.AttemptSucceeded", run: 0n };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.run = read.int64();
    else if (field === 2) message.output = readPayload(read, read.open(message.output));
    else throw notByHand;
  }
  return message;
}
