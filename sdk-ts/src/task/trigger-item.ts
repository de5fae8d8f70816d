import type { TriggerItem, TriggerOptions as WireOptions } from "#gen/runlane/v1/run_pb.js";
import type { StoredPayloads } from "../client/stored-payloads.js";
import { payloadTooLargeError } from "../errors/api-error.js";
import { presetOf } from "../machine/machine-option.js";
import { metadataPayload } from "../metadata/metadata-value.js";
import { maxStoredPayloadBytes, payloadOf } from "../payload.js";
import { maxTags, tagList } from "../tags/tag-list.js";
import { refuseUnsupported } from "../unsupported.js";
import { maxDurationSeconds } from "./max-duration.js";
import type { TriggerOptions } from "./task-types.js";

const supportedOptions: readonly (keyof TriggerOptions)[] = ["maxAttempts", "queue", "machine", "maxDuration", "tags", "metadata", "version"];

/**
 * What one trigger sends; a large payload must be stored before ({@link storedItem}).
 *
 * @throws TypeError for a payload that is not JSON, ApiError (413) for one of more than 10 MiB, Error for options that are not supported.
 */
export function triggerItem(taskId: string, payload: unknown, options: TriggerOptions | undefined): TriggerItem {
  const encoded = payloadOf(payload, `the payload for task ${taskId}`);
  // The server would say the same, after most of it had travelled.
  if (encoded && encoded.data.length > maxStoredPayloadBytes) {
    throw payloadTooLargeError(`the payload for task ${taskId} has ${encoded.data.length} bytes as JSON, and at most ${maxStoredPayloadBytes} are allowed`);
  }
  return { $typeName: "runlane.v1.TriggerItem", taskId, payload: encoded, options: options && wireOptions(options) };
}

/**
 * An item whose large payload is stored, and that names it instead.
 *
 * @throws ConnectError if it cannot be stored.
 */
export async function storedItem(item: TriggerItem, payloads: StoredPayloads): Promise<TriggerItem> {
  return { ...item, payload: item.payload && (await payloads.put(item.payload)) };
}

function wireOptions(options: TriggerOptions): WireOptions {
  refuseUnsupported("trigger", options, supportedOptions);
  const wire: WireOptions = {
    $typeName: "runlane.v1.TriggerOptions",
    tags: [],
    delay: { case: undefined },
    concurrencyKey: "",
    prioritySeconds: 0,
    weight: 0,
    test: false,
  };
  if (options.maxAttempts !== undefined) {
    if (!Number.isInteger(options.maxAttempts)) throw new RangeError(`maxAttempts is ${options.maxAttempts}, and must be a whole number`);
    wire.maxAttempts = Math.max(1, options.maxAttempts);
  }
  if (options.queue !== undefined) {
    if (typeof options.queue !== "string") throw new TypeError("queue: a trigger takes the name of a queue; its limit is set where the task is defined");
    wire.queue = options.queue;
  }
  if (options.tags !== undefined) wire.tags = triggerTags(options.tags);
  if (options.metadata !== undefined) wire.metadata = metadataPayload("trigger: metadata", options.metadata);
  if (options.version !== undefined) wire.version = options.version;
  if (options.machine !== undefined) wire.machine = presetOf("trigger: machine", options.machine);
  if (options.maxDuration !== undefined) wire.maxDurationSeconds = maxDurationSeconds("trigger", options.maxDuration);
  return wire;
}

function triggerTags(given: string | readonly string[]): string[] {
  const tags = tagList("trigger", given);
  if (tags.length > maxTags) throw new Error(`trigger: a run has at most ${maxTags} tags, and here are ${tags.length}`);
  return tags;
}
