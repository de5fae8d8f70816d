import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { homeClient } from "../client/runlane-client.js";
import { TaskPayloadParsedError } from "../errors/task-errors.js";
import { TransferFailure } from "../execution/transfer-failure.js";
import { isLarge, maxStoredPayloadBytes, payloadOf, valueOfPayload } from "../payload.js";
import { messageOf } from "./failure.js";

const noData = new Uint8Array(0);

/** Whose values they are. The signal is made only for those that are kept apart. */
interface Abortable {
  readonly signal: AbortSignal;
}

/**
 * The value that a run was triggered with; got from the server first if that keeps it apart.
 *
 * @throws TransferFailure
 */
export function readInput(payload: Payload | undefined, attempt: Abortable): unknown {
  if (payload?.reference) return fetchInput(payload, attempt);
  try {
    return valueOfPayload(payload);
  } catch (error) {
    throw new TransferFailure("TASK_INPUT_ERROR", `the payload can not be read: ${messageOf(error)}`, error, true);
  }
}

async function fetchInput(payload: Payload, attempt: Abortable): Promise<unknown> {
  const fetched = await homeClient()
    .payloads.get(payload, attempt.signal)
    .catch((error: unknown) => {
      throw TransferFailure.ofCall("TASK_INPUT_ERROR", "the payload can not be got from the server", error);
    });
  return readInput(fetched, attempt);
}

/**
 * What a task's schema makes of a payload.
 *
 * @throws TransferFailure if it refuses it
 */
export async function parseInput(parse: (payload: unknown) => unknown, payload: unknown): Promise<unknown> {
  try {
    return await parse(payload);
  } catch (thrown) {
    const error = new TaskPayloadParsedError(thrown);
    throw new TransferFailure("TASK_INPUT_ERROR", error.message, error, true);
  }
}

/**
 * What a task returned, as its attempt's output; a large one is stored on the server first.
 *
 * @throws TransferFailure if JSON cannot say it, it has more than 10 MiB, or it cannot be stored
 */
export function writeOutput(value: unknown, attempt: Abortable): Payload | Promise<Payload> {
  let output: Payload;
  try {
    output = outputPayload(value);
  } catch (error) {
    throw new TransferFailure("TASK_OUTPUT_ERROR", messageOf(error), error, true);
  }
  if (!isLarge(output)) return output;
  return homeClient()
    .payloads.put(output, attempt.signal)
    .catch((error: unknown) => {
      throw TransferFailure.ofCall("TASK_OUTPUT_ERROR", "the output can not be stored on the server", error);
    });
}

function outputPayload(value: unknown): Payload {
  const payload = payloadOf(value, "the output") ?? { $typeName: "runlane.v1.Payload", contentType: "", data: noData, metadata: {} };
  const { length } = payload.data;
  if (length > maxStoredPayloadBytes) throw new RangeError(`the output has ${length} bytes as JSON, and at most ${maxStoredPayloadBytes} are allowed`);
  return payload;
}
