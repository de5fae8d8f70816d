import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type RunnerRequest, RunnerRequestSchema, type RunnerResponse, RunnerResponseSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import { type Assignment, type AttemptResult, AttemptResultSchema, AttemptSettingsSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { FieldCursor } from "../wire/field-cursor.js";
import { FieldWriter, nestedLength } from "../wire/field-writer.js";
import { payloadLength, readPayload, writePayload } from "../wire/payload-fields.js";
import { keyToken, type TokenKey } from "./token-key.js";

/** Reads an encoded RunnerRequest. Assignments are read by hand, the rest is decoded. Bytes in it are views of the frame. */
export function readRunnerRequest(frame: Uint8Array): RunnerRequest {
  const assignments: Assignment[] = [];
  const others: Uint8Array[] = [];
  const cursor = new FieldCursor(frame);
  while (cursor.next()) {
    if (cursor.field === 2) assignments.push(readAssignment(cursor.message));
    else others.push(cursor.whole);
  }
  if (others.length > 0) return { ...fromBinary(RunnerRequestSchema, Buffer.concat(others)), assignments };
  return {
    $typeName: "runlane.internal.v1.RunnerRequest",
    assignments,
    commandOutcomes: [],
    resumes: [],
    aborts: [],
    ping: false,
    journalParts: [],
    evictions: [],
  };
}

/** A RunnerResponse that is being put together: results by hand, as they come, the rest at the end. */
export class RunnerResponseFrame {
  /** Everything but results. */
  readonly rest: RunnerResponse = {
    $typeName: "runlane.internal.v1.RunnerResponse",
    ready: false,
    commands: [],
    results: [],
    ended: [],
    abandoned: [],
    graces: [],
    evicted: [],
    pong: false,
  };
  readonly #writer = new FieldWriter();

  /** Adds a result. */
  result(key: TokenKey, outcome: AttemptResult["outcome"]): void {
    if (outcome.case !== "output") {
      this.#writer.bytes(3, toBinary(AttemptResultSchema, { $typeName: "runlane.v1.AttemptResult", token: keyToken(key), outcome }));
      return;
    }
    const expected = nestedLength(key.length) + nestedLength(payloadLength(outcome.value));
    const begun = this.#writer.begin(3, expected);
    this.#writer.latin1(1, key);
    writePayload(this.#writer, 2, outcome.value);
    this.#writer.end(begun, expected);
  }

  /** The whole, encoded. Nothing may be added any more. */
  encode(): Uint8Array {
    const { ready, pong, commands, ended, abandoned, graces, evicted } = this.rest;
    const isEmpty = commands.length + ended.length + abandoned.length + graces.length + evicted.length === 0;
    if (ready || pong || !isEmpty) this.#writer.fields(toBinary(RunnerResponseSchema, this.rest));
    return this.#writer.finish();
  }
}

function readAssignment(cursor: FieldCursor): Assignment {
  const assignment: Assignment = {
    $typeName: "runlane.v1.Assignment",
    token: noToken,
    sequence: 0n,
    runId: "",
    taskId: "",
    attemptNumber: 0,
    maxAttempts: 0,
    payload: undefined,
    queue: "",
    createTimeMs: 0n,
    startTimeMs: 0n,
    parentRunId: "",
    rootRunId: "",
    ownProcess: false,
    journalLength: 0,
    resumed: false,
  };
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        assignment.token = cursor.bytes;
        break;
      case 2:
        assignment.sequence = BigInt.asUintN(64, cursor.int64);
        break;
      case 3:
        assignment.runId = cursor.string;
        break;
      case 4:
        assignment.taskId = cursor.string;
        break;
      case 5:
        assignment.attemptNumber = cursor.number;
        break;
      case 6:
        assignment.maxAttempts = cursor.number;
        break;
      case 7:
        assignment.payload = readPayload(cursor.message);
        break;
      case 8:
        assignment.queue = cursor.string;
        break;
      case 9:
        assignment.createTimeMs = cursor.int64;
        break;
      case 10:
        assignment.startTimeMs = cursor.int64;
        break;
      case 11:
        assignment.parentRunId = cursor.string;
        break;
      case 12:
        assignment.rootRunId = cursor.string;
        break;
      case 13:
        assignment.ownProcess = cursor.number !== 0;
        break;
      case 14:
        assignment.settings = fromBinary(AttemptSettingsSchema, cursor.bytes);
        break;
      case 15:
        assignment.journalLength = cursor.number;
        break;
      case 16:
        assignment.resumed = cursor.number !== 0;
        break;
    }
  }
  return assignment;
}

const noToken = new Uint8Array(0);
