import { fromBinary } from "@bufbuild/protobuf";
import { type RunnerResponse, RunnerResponseSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import { type JournalPart, type WorkResponse, WorkResponseSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { FieldCursor } from "../wire/field-cursor.js";
import type { TokenKey } from "./token-key.js";

/** An assignment on its way from the server to a runner: encoded, but for what the supervisor must know. */
export interface PassingAssignment {
  readonly key: TokenKey;
  readonly sequence: number;
  readonly taskId: string;
  readonly ownProcess: boolean;
  /** Preset of its machine; empty for none. */
  readonly machine: string;
  /** How long it may be active, in seconds; 0 for no limit. */
  readonly maxDurationSeconds: number;
  /** Entries of its journal; 0 for none. */
  readonly journalLength: number;
  /** It goes on with what its journal has. */
  readonly resumed: boolean;
  /** The parts of its journal, when they are all there. Undefined for none. */
  journal: readonly JournalPart[] | undefined;
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
  const assignments: PassingAssignment[] = [];
  const receipts: TokenKey[] = [];
  const others: Uint8Array[] = [];
  const cursor = new FieldCursor(frame);
  while (cursor.next()) {
    if (cursor.field === 2) assignments.push(readAssignment(cursor.message, cursor.bytes));
    else if (cursor.field === 3) receipts.push(readToken(cursor.message));
    else others.push(cursor.whole);
  }
  return { assignments, receipts, rest: others.length === 0 ? undefined : fromBinary(WorkResponseSchema, Buffer.concat(others)) };
}

/** Reads an encoded RunnerResponse. */
export function readRunnerFrame(frame: Uint8Array): RunnerFrame {
  const results: PassingResult[] = [];
  const others: Uint8Array[] = [];
  const cursor = new FieldCursor(frame);
  while (cursor.next()) {
    if (cursor.field === 3) results.push({ key: readToken(cursor.message), encoded: cursor.bytes });
    else others.push(cursor.whole);
  }
  return { results, rest: others.length === 0 ? undefined : fromBinary(RunnerResponseSchema, Buffer.concat(others)) };
}

function readAssignment(cursor: FieldCursor, encoded: Uint8Array): PassingAssignment {
  let key = "";
  let sequence = 0;
  let taskId = "";
  let ownProcess = false;
  let machine = "";
  let maxDurationSeconds = 0;
  let journalLength = 0;
  let resumed = false;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        key = cursor.latin1;
        break;
      case 2:
        sequence = cursor.number;
        break;
      case 4:
        taskId = cursor.string;
        break;
      case 13:
        ownProcess = cursor.number !== 0;
        break;
      case 14: {
        const settings = cursor.message;
        while (settings.next()) {
          if (settings.field === 1) machine = settings.string;
          else if (settings.field === 2) maxDurationSeconds = settings.number;
        }
        break;
      }
      case 15:
        journalLength = cursor.number;
        break;
      case 16:
        resumed = cursor.number !== 0;
        break;
    }
  }
  return { key, sequence, taskId, ownProcess, machine, maxDurationSeconds, journalLength, resumed, journal: undefined, encoded };
}

/** The token of a message that has it as its field 1, as every message about an attempt has. */
function readToken(cursor: FieldCursor): TokenKey {
  while (cursor.next()) if (cursor.field === 1) return cursor.latin1;
  return "";
}
