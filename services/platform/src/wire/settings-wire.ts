import type { DebounceSetting, IdempotencySetting, RunSettings } from "#gen/runlane/internal/v1/log_pb.js";
import { ConcurrencyLimitNamesSchema, type IdempotencyScope } from "#gen/runlane/v1/run_pb.js";
import { readPayload, writePayloadField } from "./run-wire.js";
import { LastText, notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// What a trigger asked for, as logs and snapshots say it: a backlog of keyed runs has it a million times.

const machines = new LastText();
const versions = new LastText();

export function writeSettings(write: WireWriter, message: RunSettings): void {
  for (const tag of message.tags) write.text(1, tag);
  if (message.metadata) writePayloadField(write, 2, message.metadata);
  if (message.machine) write.text(3, message.machine);
  if (message.maxDurationSeconds !== undefined) write.int(4, message.maxDurationSeconds);
  if (message.version) write.text(5, message.version);
  if (message.delayUntilMs) write.int64(6, message.delayUntilMs);
  if (message.ttlSeconds !== undefined) write.int(7, message.ttlSeconds);
  if (message.idempotency) {
    const mark = write.open(8);
    writeIdempotency(write, message.idempotency);
    write.close(mark);
  }
  if (message.debounce) {
    const mark = write.open(9);
    if (message.debounce.key) write.text(1, message.debounce.key);
    write.close(mark);
  }
  if (message.concurrencyKey) write.text(10, message.concurrencyKey);
  if (message.priorityMs) write.sint64(11, message.priorityMs);
  if (message.weight) write.int(12, message.weight);
  if (message.test) write.yes(13);
  if (message.replayOf) write.int64(14, message.replayOf);
  if (message.concurrencyLimits) write.cold(15, ConcurrencyLimitNamesSchema, message.concurrencyLimits);
}

export function readSettings(read: WireReader, end: number): RunSettings {
  const message: RunSettings = {
    $typeName: "runlane.internal.v1.RunSettings",
    tags: [],
    machine: "",
    version: "",
    delayUntilMs: 0n,
    concurrencyKey: "",
    priorityMs: 0n,
    weight: 0,
    test: false,
    replayOf: 0n,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.tags.push(read.text());
    else if (field === 2) message.metadata = readPayload(read, read.open(message.metadata));
    else if (field === 3) message.machine = read.sameText(machines);
    else if (field === 4) message.maxDurationSeconds = read.uint32();
    else if (field === 5) message.version = read.sameText(versions);
    else if (field === 6) message.delayUntilMs = read.int64();
    else if (field === 7) message.ttlSeconds = read.uint32();
    else if (field === 8) message.idempotency = readIdempotency(read, read.open(message.idempotency));
    else if (field === 9) message.debounce = readDebounce(read, read.open(message.debounce));
    else if (field === 10) message.concurrencyKey = read.text();
    else if (field === 11) message.priorityMs = read.sint64();
    else if (field === 12) message.weight = read.uint32();
    else if (field === 13) message.test = read.bool();
    else if (field === 14) message.replayOf = read.int64();
    else if (field === 15) message.concurrencyLimits = read.cold(ConcurrencyLimitNamesSchema, message.concurrencyLimits);
    else throw notByHand;
  }
  return message;
}

function writeIdempotency(write: WireWriter, message: IdempotencySetting): void {
  if (message.key) write.text(1, message.key);
  if (message.expireMs) write.int64(2, message.expireMs);
  if (message.displayKey) write.text(3, message.displayKey);
  if (message.scope) write.int(4, message.scope);
}

function readIdempotency(read: WireReader, end: number): IdempotencySetting {
  const message: IdempotencySetting = { $typeName: "runlane.internal.v1.IdempotencySetting", key: "", expireMs: 0n, displayKey: "", scope: 0 };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.key = read.text();
    else if (field === 2) message.expireMs = read.int64();
    else if (field === 3) message.displayKey = read.text();
    else if (field === 4) message.scope = read.enum() as IdempotencyScope;
    else throw notByHand;
  }
  return message;
}

function readDebounce(read: WireReader, end: number): DebounceSetting {
  const message: DebounceSetting = { $typeName: "runlane.internal.v1.DebounceSetting", key: "" };
  while (read.more(end)) {
    if (read.field() === 1) message.key = read.text();
    else throw notByHand;
  }
  return message;
}
