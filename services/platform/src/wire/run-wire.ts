import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { FailureSchema, type Payload } from "#gen/runlane/v1/payload_pb.js";
import {
  type BatchOutcome,
  type BatchPart,
  ConcurrencyLimitNamesSchema,
  DebounceSchema,
  IdempotencyKeySchema,
  type RunResult,
  type RunState,
  type TriggerItem,
  type TriggerOptions,
  type TriggerOutcome,
} from "#gen/runlane/v1/run_pb.js";
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
  if (message.delay.case === "delayFor") write.cold(8, DurationSchema, message.delay.value);
  else if (message.delay.case === "delayUntil") write.cold(9, TimestampSchema, message.delay.value);
  if (message.ttlSeconds !== undefined) write.int(10, message.ttlSeconds);
  if (message.idempotencyKey) write.cold(11, IdempotencyKeySchema, message.idempotencyKey);
  if (message.debounce) write.cold(12, DebounceSchema, message.debounce);
  if (message.concurrencyKey) write.text(13, message.concurrencyKey);
  // Not a comparison with 0: protobuf writes -0 and NaN.
  if (!Object.is(message.prioritySeconds, 0)) write.double(14, message.prioritySeconds);
  if (message.weight) write.int(15, message.weight);
  if (message.test) write.yes(16);
  if (message.concurrencyLimits) write.cold(17, ConcurrencyLimitNamesSchema, message.concurrencyLimits);
}

function readTriggerOptions(read: WireReader, end: number): TriggerOptions {
  const message: TriggerOptions = {
    $typeName: "runlane.v1.TriggerOptions",
    tags: [],
    delay: { case: undefined },
    concurrencyKey: "",
    prioritySeconds: 0,
    weight: 0,
    test: false,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.maxAttempts = read.uint32();
    else if (field === 2) message.queue = read.sameText(queues);
    else if (field === 3) message.tags.push(read.text());
    else if (field === 4) message.metadata = readPayload(read, read.open(message.metadata));
    else if (field === 5) message.machine = read.sameText(machines);
    else if (field === 6) message.maxDurationSeconds = read.uint32();
    else if (field === 7) message.version = read.sameText(versions);
    else if (field === 8) message.delay = { case: "delayFor", value: read.cold(DurationSchema, message.delay.case) };
    else if (field === 9) message.delay = { case: "delayUntil", value: read.cold(TimestampSchema, message.delay.case) };
    else if (field === 10) message.ttlSeconds = read.uint32();
    else if (field === 11) message.idempotencyKey = read.cold(IdempotencyKeySchema, message.idempotencyKey);
    else if (field === 12) message.debounce = read.cold(DebounceSchema, message.debounce);
    else if (field === 13) message.concurrencyKey = read.text();
    else if (field === 14) message.prioritySeconds = read.double();
    else if (field === 15) message.weight = read.uint32();
    else if (field === 16) message.test = read.bool();
    else if (field === 17) message.concurrencyLimits = read.cold(ConcurrencyLimitNamesSchema, message.concurrencyLimits);
    else throw notByHand;
  }
  return message;
}

export function writeTriggerOutcome(write: WireWriter, { outcome, cached }: TriggerOutcome): void {
  if (outcome.case === "runId") write.text(1, outcome.value);
  else if (outcome.case === "error") write.cold(2, StatusSchema, outcome.value);
  if (cached) write.yes(3);
}

export function readTriggerOutcome(read: WireReader, end: number): TriggerOutcome {
  const message: TriggerOutcome = { $typeName: "runlane.v1.TriggerOutcome", outcome: { case: undefined }, cached: false };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.outcome = { case: "runId", value: read.text() };
    else if (field === 2) message.outcome = { case: "error", value: read.cold(StatusSchema, message.outcome.case) };
    else if (field === 3) message.cached = read.bool();
    else throw notByHand;
  }
  return message;
}

/** A field that holds a part of a batch. */
export function writeBatchPartField(write: WireWriter, field: number, message: BatchPart): void {
  const mark = write.open(field);
  if (message.batchId) write.text(1, message.batchId);
  if (message.firstIndex) write.int(2, message.firstIndex);
  if (message.seal) write.yes(3);
  if (message.idempotencyKey) write.cold(4, IdempotencyKeySchema, message.idempotencyKey);
  write.close(mark);
}

export function readBatchPart(read: WireReader, end: number): BatchPart {
  const message: BatchPart = { $typeName: "runlane.v1.BatchPart", batchId: "", firstIndex: 0, seal: false };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.batchId = read.text();
    else if (field === 2) message.firstIndex = read.uint32();
    else if (field === 3) message.seal = read.bool();
    else if (field === 4) message.idempotencyKey = read.cold(IdempotencyKeySchema, message.idempotencyKey);
    else throw notByHand;
  }
  return message;
}

/** A field that holds what became of a part of a batch. */
export function writeBatchOutcomeField(write: WireWriter, field: number, message: BatchOutcome): void {
  const mark = write.open(field);
  if (message.batchId) write.text(1, message.batchId);
  if (message.runCount) write.int(2, message.runCount);
  if (message.cached) write.yes(3);
  write.close(mark);
}

export function readBatchOutcome(read: WireReader, end: number): BatchOutcome {
  const message: BatchOutcome = { $typeName: "runlane.v1.BatchOutcome", batchId: "", runCount: 0, cached: false };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.batchId = read.text();
    else if (field === 2) message.runCount = read.uint32();
    else if (field === 3) message.cached = read.bool();
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
