import { fromBinary } from "@bufbuild/protobuf";
import { type RunnerResponse, RunnerResponseSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import { type WorkResponse, WorkResponseSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { FieldCursor } from "./field-cursor.js";
import type { TokenKey } from "./token-key.js";

/** An assignment on its way from the server to a runner: encoded, but for what the supervisor must know. */
export interface PassingAssignment {
  readonly key: TokenKey;
  readonly sequence: number;
  readonly taskId: string;
  readonly ownProcess: boolean;
  /** The whole of it, a view of the frame. */
  readonly encoded: Uint8Array;
}

/** A result on its way from a runner to the server. */
export interface PassingResult {
  readonly key: TokenKey;
  /** The whole of it, a view of the frame. */
  readonly encoded: Uint8Array;
}

/** A frame of the server. What every run has is taken apart by hand, the rest is decoded. */
export interface ServerFrame {
  readonly assignments: readonly PassingAssignment[];
  /** Tokens of the results that the server has recorded or refused. */
  readonly receipts: readonly TokenKey[];
  /** Everything else; undefined if there is nothing else. Its assignments and receipts are empty. */
  readonly rest: WorkResponse | undefined;
}

/** A frame of a runner. */
export interface RunnerFrame {
  readonly results: readonly PassingResult[];
  /** Everything else; undefined if there is nothing else. Its results are empty. */
  readonly rest: RunnerResponse | undefined;
}

/** Reads an encoded WorkResponse. */
export function readServerFrame(frame: Uint8Array): ServerFrame {
  const bytes = asBuffer(frame);
  const assignments: PassingAssignment[] = [];
  const receipts: TokenKey[] = [];
  const others: Uint8Array[] = [];
  const cursor = new FieldCursor(bytes);
  while (cursor.next()) {
    if (cursor.field === 2) assignments.push(readAssignment(bytes, cursor.from, cursor.to));
    else if (cursor.field === 3) receipts.push(readToken(bytes, cursor.from, cursor.to));
    else others.push(bytes.subarray(cursor.start, cursor.to));
  }
  return { assignments, receipts, rest: others.length === 0 ? undefined : fromBinary(WorkResponseSchema, Buffer.concat(others)) };
}

/** Reads an encoded RunnerResponse. */
export function readRunnerFrame(frame: Uint8Array): RunnerFrame {
  const bytes = asBuffer(frame);
  const results: PassingResult[] = [];
  const others: Uint8Array[] = [];
  const cursor = new FieldCursor(bytes);
  while (cursor.next()) {
    if (cursor.field === 3) results.push({ key: readToken(bytes, cursor.from, cursor.to), encoded: bytes.subarray(cursor.from, cursor.to) });
    else others.push(bytes.subarray(cursor.start, cursor.to));
  }
  return { results, rest: others.length === 0 ? undefined : fromBinary(RunnerResponseSchema, Buffer.concat(others)) };
}

function readAssignment(bytes: Buffer, from: number, to: number): PassingAssignment {
  let key = "";
  let sequence = 0;
  let taskId = "";
  let ownProcess = false;
  const cursor = new FieldCursor(bytes, from, to);
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        key = bytes.toString("latin1", cursor.from, cursor.to);
        break;
      case 2:
        sequence = cursor.number;
        break;
      case 4:
        taskId = bytes.toString("utf8", cursor.from, cursor.to);
        break;
      case 13:
        ownProcess = cursor.number !== 0;
        break;
    }
  }
  return { key, sequence, taskId, ownProcess, encoded: bytes.subarray(from, to) };
}

/** The token of a message that has it as its field 1, as every message about an attempt has. */
function readToken(bytes: Buffer, from: number, to: number): TokenKey {
  const cursor = new FieldCursor(bytes, from, to);
  while (cursor.next()) if (cursor.field === 1) return bytes.toString("latin1", cursor.from, cursor.to);
  return "";
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
