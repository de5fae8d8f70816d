import {
  type Assignment,
  AttemptCommandSchema,
  AttemptFailureSchema,
  type AttemptResult,
  AttemptSettingsSchema,
  CancelSchema,
  CommandOutcomeSchema,
  DeclineSchema,
  type Heartbeat,
  HeartbeatAnswerSchema,
  HeldListSchema,
  HelloSchema,
  JournalPartSchema,
  ReleaseSchema,
  type ResultReceipt,
  ResumeSchema,
  ServerDrainSchema,
  WelcomeSchema,
  WorkerDrainSchema,
  type WorkRequest,
  type WorkResponse,
} from "#gen/runlane/v1/worker_service_pb.js";
import { readPayload, writePayloadField } from "./run-wire.js";
import { notByHand, type WireReader } from "./wire-reader.js";
import type { WireWriter } from "./wire-writer.js";

// The stream between a worker and the owner, as the owner sees it.

export function readWorkRequest(read: WireReader, end: number): WorkRequest {
  const message: WorkRequest = {
    $typeName: "runlane.v1.WorkRequest",
    accepted: [],
    declined: [],
    commands: [],
    results: [],
    cancelConfirmed: [],
  };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.hello = read.cold(HelloSchema, message.hello);
    else if (field === 2) message.accepted.push(read.bytes());
    else if (field === 3) message.declined.push(read.cold(DeclineSchema));
    else if (field === 4) message.commands.push(read.cold(AttemptCommandSchema));
    else if (field === 5) message.results.push(readAttemptResult(read, read.open()));
    else if (field === 6) message.cancelConfirmed.push(read.bytes());
    else if (field === 7) message.heartbeat = readHeartbeat(read, read.open(message.heartbeat));
    else if (field === 8) message.heldList = read.cold(HeldListSchema, message.heldList);
    else if (field === 9) message.drain = read.cold(WorkerDrainSchema, message.drain);
    else throw notByHand;
  }
  return message;
}

function readAttemptResult(read: WireReader, end: number): AttemptResult {
  const message: AttemptResult = { $typeName: "runlane.v1.AttemptResult", token: new Uint8Array(), outcome: { case: undefined } };
  while (read.more(end)) {
    const field = read.field();
    const before = message.outcome.case;
    if (field === 1) message.token = read.bytes();
    else if (field === 2) message.outcome = { case: "output", value: readPayload(read, read.open(before)) };
    else if (field === 3) message.outcome = { case: "failure", value: read.cold(AttemptFailureSchema, before) };
    else if (field === 4) message.outcome = { case: "release", value: read.cold(ReleaseSchema, before) };
    else throw notByHand;
  }
  return message;
}

function readHeartbeat(read: WireReader, end: number): Heartbeat {
  const message: Heartbeat = { $typeName: "runlane.v1.Heartbeat", sequence: 0n, assignmentSequence: 0n, heldCount: 0, heldDigest: 0n };
  while (read.more(end)) {
    const field = read.field();
    if (field === 1) message.sequence = read.int64();
    else if (field === 2) message.assignmentSequence = read.int64();
    else if (field === 3) message.heldCount = read.uint32();
    else if (field === 4) message.heldDigest = read.fixed64();
    else throw notByHand;
  }
  return message;
}

export function writeWorkResponse(write: WireWriter, message: WorkResponse): void {
  if (message.welcome) write.cold(1, WelcomeSchema, message.welcome);
  for (const assignment of message.assignments) {
    const mark = write.open(2, 2);
    writeAssignment(write, assignment);
    write.close(mark);
  }
  for (const receipt of message.receipts) {
    const mark = write.open(3);
    writeReceipt(write, receipt);
    write.close(mark);
  }
  for (const outcome of message.commandOutcomes) write.cold(4, CommandOutcomeSchema, outcome);
  for (const resume of message.resumes) write.cold(5, ResumeSchema, resume);
  for (const cancel of message.cancels) write.cold(6, CancelSchema, cancel);
  if (message.heartbeat) write.cold(7, HeartbeatAnswerSchema, message.heartbeat);
  for (const token of message.lost) write.bytes(8, token);
  if (message.helloAgain) write.yes(9);
  if (message.drain) write.cold(10, ServerDrainSchema, message.drain);
  for (const part of message.journalParts) write.cold(11, JournalPartSchema, part);
}

function writeAssignment(write: WireWriter, message: Assignment): void {
  if (message.token.length > 0) write.bytes(1, message.token);
  if (message.sequence) write.int64(2, message.sequence);
  if (message.runId) write.text(3, message.runId);
  if (message.taskId) write.text(4, message.taskId);
  if (message.attemptNumber) write.int(5, message.attemptNumber);
  if (message.maxAttempts) write.int(6, message.maxAttempts);
  if (message.payload) writePayloadField(write, 7, message.payload);
  if (message.queue) write.text(8, message.queue);
  if (message.createTimeMs) write.int64(9, message.createTimeMs);
  if (message.startTimeMs) write.int64(10, message.startTimeMs);
  if (message.parentRunId) write.text(11, message.parentRunId);
  if (message.rootRunId) write.text(12, message.rootRunId);
  if (message.ownProcess) write.yes(13);
  if (message.settings) write.cold(14, AttemptSettingsSchema, message.settings);
  if (message.journalLength) write.int(15, message.journalLength);
  if (message.resumed) write.yes(16);
}

function writeReceipt(write: WireWriter, message: ResultReceipt): void {
  if (message.token.length > 0) write.bytes(1, message.token);
  if (message.disposition) write.int(2, message.disposition);
}
