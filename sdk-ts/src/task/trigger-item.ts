import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import type { StoredPayloads } from "../client/stored-payloads.js";
import { payloadTooLargeError } from "../errors/api-error.js";
import { maxStoredPayloadBytes, payloadOf } from "../payload.js";
import type { TriggerOptions } from "./task-types.js";
import { type TriggerDefaults, wireOptions } from "./wire-options.js";

const noOptions: TriggerOptions = {};

/**
 * What one trigger sends; a large payload must be stored before ({@link storedItem}). `defaults` is what its batch and the environment say for those that do not.
 *
 * @throws TypeError for a payload that is not JSON, ApiError (413) for one of more than 10 MiB, Error for options that are not supported or break their rules.
 */
export function triggerItem(taskId: string, payload: unknown, options: TriggerOptions | undefined, defaults?: TriggerDefaults): TriggerItem {
  const encoded = payloadOf(payload, `the payload for task ${taskId}`);
  // The server would say the same, after most of it had travelled.
  if (encoded && encoded.data.length > maxStoredPayloadBytes) {
    throw payloadTooLargeError(`the payload for task ${taskId} has ${encoded.data.length} bytes as JSON, and at most ${maxStoredPayloadBytes} are allowed`);
  }
  const given = options ?? (defaults?.idempotencyKey === undefined && defaults?.version === undefined ? undefined : noOptions);
  return { $typeName: "runlane.v1.TriggerItem", taskId, payload: encoded, options: given && wireOptions(given, defaults) };
}

/**
 * An item whose large payload is stored, and that names it instead.
 *
 * @throws ConnectError if it cannot be stored.
 */
export async function storedItem(item: TriggerItem, payloads: StoredPayloads): Promise<TriggerItem> {
  return { ...item, payload: item.payload && (await payloads.put(item.payload)) };
}
