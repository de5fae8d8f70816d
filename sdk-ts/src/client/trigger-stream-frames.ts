import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { FailureSchema } from "#gen/runlane/v1/payload_pb.js";
import { BatchOutcomeSchema, BatchPartSchema, type RunResult, type TriggerItem, TriggerOptionsSchema, type TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import type { RunResults, TriggerFrame, TriggerOutcomes, TriggerStreamResponse } from "#gen/runlane/v1/run_service_pb.js";
import { FieldCursor } from "../wire/field-cursor.js";
import { FieldWriter, nestedLength } from "../wire/field-writer.js";
import { payloadLength, readPayload, writePayload } from "../wire/payload-fields.js";

/** A TriggerStreamRequest that triggers tasks, encoded. `expectedLength` is a guess, in bytes. */
export function encodeTriggerFrame({ requestId, items, awaitResults, batch }: Omit<TriggerFrame, "$typeName">, expectedLength: number): Uint8Array {
  const writer = new FieldWriter(expectedLength + 16);
  const begun = writer.begin(1, expectedLength);
  if (requestId !== "") writer.string(1, requestId);
  for (const item of items) writeItem(writer, item);
  if (awaitResults.length > 0) {
    const list = writer.begin(3, awaitResults.length);
    for (const index of awaitResults) writer.packed(index);
    writer.end(list, awaitResults.length);
  }
  if (batch) writer.bytes(4, toBinary(BatchPartSchema, batch));
  writer.end(begun, expectedLength);
  return writer.finish();
}

/** Reads an encoded TriggerStreamResponse. Bytes in it are views of the frame. */
export function readTriggerStreamResponse(bytes: Uint8Array): TriggerStreamResponse["frame"] {
  let frame: TriggerStreamResponse["frame"] = { case: undefined };
  const cursor = new FieldCursor(bytes);
  while (cursor.next()) {
    if (cursor.field === 1) frame = { case: "outcomes", value: readOutcomes(cursor.message) };
    else if (cursor.field === 2) frame = { case: "results", value: readResults(cursor.message) };
  }
  return frame;
}

function writeItem(writer: FieldWriter, { taskId, payload, options }: TriggerItem): void {
  const encodedOptions = options && toBinary(TriggerOptionsSchema, options);
  const expected = 2 + taskId.length + (payload ? nestedLength(payloadLength(payload)) : 0) + (encodedOptions ? nestedLength(encodedOptions.length) : 0);
  const begun = writer.begin(2, expected);
  if (taskId !== "") writer.string(1, taskId);
  if (payload) writePayload(writer, 2, payload);
  if (encodedOptions) writer.bytes(3, encodedOptions);
  writer.end(begun, expected);
}

function readOutcomes(cursor: FieldCursor): TriggerOutcomes {
  const outcomes: TriggerOutcomes = { $typeName: "runlane.v1.TriggerOutcomes", requestId: "", outcomes: [], logPosition: "" };
  while (cursor.next()) {
    if (cursor.field === 1) outcomes.requestId = cursor.string;
    else if (cursor.field === 2) outcomes.outcomes.push(readOutcome(cursor.message));
    else if (cursor.field === 3) outcomes.error = fromBinary(StatusSchema, cursor.bytes);
    else if (cursor.field === 4) outcomes.logPosition = cursor.string;
    else if (cursor.field === 5) outcomes.batch = fromBinary(BatchOutcomeSchema, cursor.bytes);
  }
  return outcomes;
}

function readOutcome(cursor: FieldCursor): TriggerOutcome {
  const outcome: TriggerOutcome = { $typeName: "runlane.v1.TriggerOutcome", outcome: { case: undefined }, cached: false };
  while (cursor.next()) {
    if (cursor.field === 1) outcome.outcome = { case: "runId", value: cursor.string };
    else if (cursor.field === 2) outcome.outcome = { case: "error", value: fromBinary(StatusSchema, cursor.bytes) };
    else if (cursor.field === 3) outcome.cached = cursor.number !== 0;
  }
  return outcome;
}

function readResults(cursor: FieldCursor): RunResults {
  const results: RunResults = { $typeName: "runlane.v1.RunResults", results: [], unknownRunIds: [], logPosition: "" };
  while (cursor.next()) {
    if (cursor.field === 1) results.results.push(readResult(cursor.message));
    else if (cursor.field === 2) results.unknownRunIds.push(cursor.string);
    else if (cursor.field === 3) results.logPosition = cursor.string;
  }
  return results;
}

function readResult(cursor: FieldCursor): RunResult {
  const result: RunResult = { $typeName: "runlane.v1.RunResult", runId: "", taskId: "", state: 0 };
  while (cursor.next()) {
    if (cursor.field === 1) result.runId = cursor.string;
    else if (cursor.field === 2) result.taskId = cursor.string;
    else if (cursor.field === 3) result.state = cursor.number;
    else if (cursor.field === 4) result.output = readPayload(cursor.message);
    else if (cursor.field === 5) result.failure = fromBinary(FailureSchema, cursor.bytes);
  }
  return result;
}
