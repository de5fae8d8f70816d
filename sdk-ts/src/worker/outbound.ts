import { toBinary } from "@bufbuild/protobuf";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import {
  type AttemptCommand,
  type Heartbeat,
  type HeldAttempt,
  RecordCommandSchema,
  type UpdateRunCommand,
  type WorkRequest,
  WorkRequestSchema,
} from "#gen/runlane/v1/worker_service_pb.js";
import { appendFields } from "../wire/field-writer.js";
import { keyToken, type TokenKey } from "./token-key.js";

/** Items of a frame. */
const maxItems = 500;
/** Bytes of a frame's items, as they are estimated here; the protocol's limit is 512 KiB, exact. */
const maxLength = 448 * 1_024;
/** Number of WorkRequest.results. */
const resultsField = 5;
/** Bytes of an item besides what is counted: tokens, names, tags. */
const itemOverhead = 64;

/** What is to be said to the server, gathered until it is taken as frames. Nothing here is kept: what must survive a broken stream hangs on the held attempts. */
export class Outbound {
  #accepted = new Set<TokenKey>();
  #declined: { key: TokenKey; reason: string }[] = [];
  #commands: AttemptCommand[] = [];
  /** Encoded AttemptResults. */
  #results: Uint8Array[] = [];
  #confirmed: TokenKey[] = [];
  #heartbeat: Heartbeat | undefined;
  #heldList: { assignmentSequence: bigint; held: HeldAttempt[] } | undefined;
  #drain: string | undefined;

  get isEmpty(): boolean {
    return (
      this.#accepted.size + this.#declined.length + this.#commands.length + this.#results.length + this.#confirmed.length === 0 &&
      this.#heartbeat === undefined &&
      this.#heldList === undefined &&
      this.#drain === undefined
    );
  }

  /** An acceptance. A result that is ready before it has left makes it needless. */
  accept(key: TokenKey): void {
    this.#accepted.add(key);
  }

  decline(key: TokenKey, reason: string): void {
    this.#declined.push({ key, reason });
  }

  command(command: AttemptCommand): void {
    this.#commands.push(command);
  }

  /** An encoded AttemptResult. */
  result(key: TokenKey, result: Uint8Array): void {
    this.#accepted.delete(key);
    this.#results.push(result);
  }

  confirmCancel(key: TokenKey): void {
    this.#confirmed.push(key);
  }

  heartbeat(heartbeat: Heartbeat): void {
    this.#heartbeat = heartbeat;
  }

  heldList(assignmentSequence: bigint, held: HeldAttempt[]): void {
    this.#heldList = { assignmentSequence, held };
  }

  drain(reason: string): void {
    this.#drain = reason;
  }

  /** Forgets everything but declines: a Hello has said, or a Welcome will have said again, the rest. */
  clear(): void {
    this.#accepted.clear();
    this.#commands = [];
    this.#results = [];
    this.#confirmed = [];
    this.#heartbeat = undefined;
    this.#heldList = undefined;
    this.#drain = undefined;
  }

  /** Takes everything as encoded WorkRequests within the protocol's limits, in their order; mostly one. */
  take(): Uint8Array[] {
    let frame: OpenFrame = { request: emptyRequest(), results: [] };
    const frames = [frame];
    let items = 0;
    let length = 0;
    const room = (itemLength: number): OpenFrame => {
      if (items === maxItems || (items > 0 && length + itemLength > maxLength)) {
        frame = { request: emptyRequest(), results: [] };
        frames.push(frame);
        items = 0;
        length = 0;
      }
      items += 1;
      length += itemLength;
      return frame;
    };
    for (const key of this.#accepted) room(itemOverhead).request.accepted.push(keyToken(key));
    for (const { key, reason } of this.#declined) {
      room(itemOverhead + reason.length).request.declined.push({ $typeName: "runlane.v1.Decline", token: keyToken(key), reason });
    }
    for (const command of this.#commands) room(commandLength(command)).request.commands.push(command);
    for (const result of this.#results) room(result.length + itemOverhead).results.push(result);
    for (const key of this.#confirmed) room(itemOverhead).request.cancelConfirmed.push(keyToken(key));
    frame.request.heartbeat = this.#heartbeat;
    if (this.#heldList) frame.request.heldList = { $typeName: "runlane.v1.HeldList", ...this.#heldList };
    if (this.#drain !== undefined) frame.request.drain = { $typeName: "runlane.v1.WorkerDrain", reason: this.#drain };
    this.clear();
    this.#declined = [];
    return frames.map(({ request, results }) => appendFields(toBinary(WorkRequestSchema, request), { field: resultsField, values: results }));
  }
}

/** A frame that is being filled. */
interface OpenFrame {
  readonly request: WorkRequest;
  readonly results: Uint8Array[];
}

/** A frame without anything in it. */
export function emptyRequest(): WorkRequest {
  return { $typeName: "runlane.v1.WorkRequest", accepted: [], declined: [], commands: [], results: [], cancelConfirmed: [] };
}

/** Bytes that a trigger takes in a frame, roughly and at most. */
export function triggerItemLength(item: TriggerItem): number {
  return itemOverhead + 4 * item.taskId.length + (item.options ? optionsLength(item.options) : 0) + (item.payload ? payloadLength(item.payload) : 0);
}

function optionsLength({ queue = "", tags, metadata, concurrencyKey, idempotencyKey, debounce }: NonNullable<TriggerItem["options"]>): number {
  const keys = concurrencyKey.length + (debounce?.key.length ?? 0) + (idempotencyKey ? idempotencyKey.key.length + idempotencyKey.displayKey.length : 0);
  const named = tags.reduce((sum, tag) => sum + 4 * tag.length + 4, 4 * (queue.length + keys));
  return named + (metadata ? payloadLength(metadata) : 0);
}

function commandLength({ command, journalKey }: AttemptCommand): number {
  const overhead = journalKey ? 2 * itemOverhead + 4 * journalKey.name.length : itemOverhead;
  if (command.case === "updateRun") return updateLength(command.value);
  if (command.case === "record") return overhead + toBinary(RecordCommandSchema, command.value).length;
  if (command.case !== "trigger" && command.case !== "triggerAndWait") return overhead;
  return command.value.items.reduce((sum, item) => sum + triggerItemLength(item), overhead);
}

function updateLength({ addTags, metadata }: UpdateRunCommand): number {
  const tags = addTags.reduce((sum, tag) => sum + 4 * tag.length, itemOverhead);
  return metadata.reduce((sum, { key, operation }) => {
    return sum + itemOverhead + Buffer.byteLength(key) + (typeof operation.value === "string" ? Buffer.byteLength(operation.value) : 0);
  }, tags);
}

function payloadLength(payload: Payload): number {
  let length = payload.data.length + payload.contentType.length + (payload.reference?.length ?? 0);
  for (const [key, value] of Object.entries(payload.metadata)) length += 4 * (key.length + value.length);
  return length;
}
