import {
  type SnapshotPhase,
  type SnapshotRecord,
  SnapshotRecordSchema,
  type SnapshotRun,
  SnapshotRunMoreSchema,
} from "#gen/runlane/internal/v1/snapshot_pb.js";
import { readPayload, writePayloadField } from "./run-wire.js";
import { notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// Records of snapshots. Nearly all of it is runs; those are written and read by hand.

/** Field number of a run. */
const runField = 10;

export function writeSnapshotRecord(write: WireWriter, message: SnapshotRecord): void {
  const { record } = message;
  if (record.case !== "run") return write.fields(SnapshotRecordSchema, message);
  const mark = write.open(runField, 2);
  writeRun(write, record.value);
  write.close(mark);
}

export function readSnapshotRecord(read: WireReader, end: number): SnapshotRecord {
  if (!read.more(end) || read.peek() !== runField) return read.rest(SnapshotRecordSchema, end);
  read.field();
  const value = readRun(read, read.open());
  if (read.more(end)) throw notByHand;
  return { $typeName: "runlane.internal.v1.SnapshotRecord", record: { case: "run", value } };
}

function writeRun(write: WireWriter, message: SnapshotRun): void {
  if (message.run) write.int64(1, message.run);
  if (message.queue) write.int(2, message.queue);
  if (message.task) write.int(3, message.task);
  if (message.phase) write.int(4, message.phase);
  if (message.maxAttempts) write.int(5, message.maxAttempts);
  if (message.createMs) write.int64(6, message.createMs);
  if (message.payload) writePayloadField(write, 7, message.payload);
  if (message.attempt) write.int(8, message.attempt);
  if (message.startMs) write.int64(9, message.startMs);
  if (message.finishMs) write.int64(10, message.finishMs);
  if (message.version) write.int(11, message.version);
  if (message.session) write.int64(12, message.session);
  if (message.epoch) write.int64(13, message.epoch);
  if (message.nonce) write.fixed64(14, message.nonce);
  if (message.output) writePayloadField(write, 15, message.output);
  if (message.more) write.cold(16, SnapshotRunMoreSchema, message.more);
}

function readRun(read: WireReader, end: number): SnapshotRun {
  const message: SnapshotRun = {
    $typeName: "runlane.internal.v1.SnapshotRun",
    run: 0n,
    queue: 0,
    task: 0,
    phase: 0,
    maxAttempts: 0,
    createMs: 0n,
    attempt: 0,
    startMs: 0n,
    finishMs: 0n,
    version: 0,
    session: 0n,
    epoch: 0n,
    nonce: 0n,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.run = read.int64();
    else if (field === 2) message.queue = read.uint32();
    else if (field === 3) message.task = read.uint32();
    else if (field === 4) message.phase = read.enum() as SnapshotPhase;
    else if (field === 5) message.maxAttempts = read.uint32();
    else if (field === 6) message.createMs = read.int64();
    else if (field === 7) message.payload = readPayload(read, read.open(message.payload));
    else if (field === 8) message.attempt = read.uint32();
    else if (field === 9) message.startMs = read.int64();
    else if (field === 10) message.finishMs = read.int64();
    else if (field === 11) message.version = read.uint32();
    else if (field === 12) message.session = read.int64();
    else if (field === 13) message.epoch = read.int64();
    else if (field === 14) message.nonce = read.fixed64();
    else if (field === 15) message.output = readPayload(read, read.open(message.output));
    else if (field === 16) message.more = read.cold(SnapshotRunMoreSchema, message.more);
    else throw notByHand;
  }
  return message;
}
