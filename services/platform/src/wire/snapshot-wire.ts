import {
  SnapshotCommandsSchema,
  SnapshotJournalSchema,
  type SnapshotPhase,
  type SnapshotRecord,
  SnapshotRecordSchema,
  type SnapshotRun,
  type SnapshotRunMore,
  SnapshotRunNumbersSchema,
  SnapshotWaiterSchema,
  SnapshotWaitsSchema,
} from "#gen/runlane/internal/v1/snapshot_pb.js";
import { FailureSchema } from "#gen/runlane/v1/payload_pb.js";
import { readPayload, writePayloadField } from "./run-wire.js";
import { readSettings, writeSettings } from "./settings-wire.js";
import { LastText, notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// Records of snapshots. Nearly all of it is runs; those are written and read by hand.

const machines = new LastText();
const versions = new LastText();

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
  if (message.more) {
    const mark = write.open(16);
    writeMore(write, message.more);
    write.close(mark);
  }
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
    else if (field === 16) message.more = readMore(read, read.open(message.more));
    else throw notByHand;
  }
  return message;
}

function writeMore(write: WireWriter, message: SnapshotRunMore): void {
  if (message.queueNamed) write.yes(1);
  if (message.askedAttempts) write.int(2, message.askedAttempts);
  if (message.retryAtMs) write.int64(3, message.retryAtMs);
  if (message.askedVersion) write.text(4, message.askedVersion);
  if (message.machine) write.text(5, message.machine);
  if (message.maxDurationSeconds) write.int(6, message.maxDurationSeconds);
  if (message.settings) {
    const mark = write.open(7);
    writeSettings(write, message.settings);
    write.close(mark);
  }
  if (message.ownProcess) write.yes(8);
  if (message.failure) write.cold(9, FailureSchema, message.failure);
  if (message.parent) write.int64(10, message.parent);
  if (message.root) write.int64(11, message.root);
  if (message.depth) write.int(12, message.depth);
  if (message.children) write.cold(13, SnapshotRunNumbersSchema, message.children);
  for (const waiter of message.waiters) write.cold(14, SnapshotWaiterSchema, waiter);
  if (message.waits) write.cold(15, SnapshotWaitsSchema, message.waits);
  if (message.commands) write.cold(16, SnapshotCommandsSchema, message.commands);
  if (message.queueMs) write.int64(17, message.queueMs);
  if (message.guardian) write.int64(18, message.guardian);
  if (message.ttlSeconds) write.int(19, message.ttlSeconds);
  if (message.expireMs) write.int64(20, message.expireMs);
  if (message.batch) write.int64(21, message.batch);
  write.int64s(22, message.foundIn);
  if (message.collects) write.yes(23);
  if (message.orderMs !== undefined) write.int64(24, message.orderMs);
  if (message.tokens) write.int(25, message.tokens);
  for (const limit of message.limits) write.text(26, limit);
  if (message.activeMs) write.int64(27, message.activeMs);
  if (message.journal) write.cold(28, SnapshotJournalSchema, message.journal);
}

function readMore(read: WireReader, end: number): SnapshotRunMore {
  const message: SnapshotRunMore = {
    $typeName: "runlane.internal.v1.SnapshotRunMore",
    queueNamed: false,
    askedAttempts: 0,
    retryAtMs: 0n,
    askedVersion: "",
    machine: "",
    maxDurationSeconds: 0,
    ownProcess: false,
    parent: 0n,
    root: 0n,
    depth: 0,
    waiters: [],
    queueMs: 0n,
    guardian: 0n,
    ttlSeconds: 0,
    expireMs: 0n,
    batch: 0n,
    foundIn: [],
    collects: false,
    tokens: 0,
    limits: [],
    activeMs: 0n,
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.queueNamed = read.bool();
    else if (field === 2) message.askedAttempts = read.uint32();
    else if (field === 3) message.retryAtMs = read.int64();
    else if (field === 4) message.askedVersion = read.sameText(versions);
    else if (field === 5) message.machine = read.sameText(machines);
    else if (field === 6) message.maxDurationSeconds = read.uint32();
    else if (field === 7) message.settings = readSettings(read, read.open(message.settings));
    else if (field === 8) message.ownProcess = read.bool();
    else if (field === 9) message.failure = read.cold(FailureSchema, message.failure);
    else if (field === 10) message.parent = read.int64();
    else if (field === 11) message.root = read.int64();
    else if (field === 12) message.depth = read.uint32();
    else if (field === 13) message.children = read.cold(SnapshotRunNumbersSchema, message.children);
    else if (field === 14) message.waiters.push(read.cold(SnapshotWaiterSchema));
    else if (field === 15) message.waits = read.cold(SnapshotWaitsSchema, message.waits);
    else if (field === 16) message.commands = read.cold(SnapshotCommandsSchema, message.commands);
    else if (field === 17) message.queueMs = read.int64();
    else if (field === 18) message.guardian = read.int64();
    else if (field === 19) message.ttlSeconds = read.uint32();
    else if (field === 20) message.expireMs = read.int64();
    else if (field === 21) message.batch = read.int64();
    else if (field === 22) read.int64s(message.foundIn);
    else if (field === 23) message.collects = read.bool();
    else if (field === 24) message.orderMs = read.int64();
    else if (field === 25) message.tokens = read.uint32();
    else if (field === 26) message.limits.push(read.text());
    else if (field === 27) message.activeMs = read.int64();
    else if (field === 28) message.journal = read.cold(SnapshotJournalSchema, message.journal);
    else throw notByHand;
  }
  return message;
}
