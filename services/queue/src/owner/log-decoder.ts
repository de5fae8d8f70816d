import { fromBinary } from "@bufbuild/protobuf";
import { type Batch, type Event, EventSchema, type LogRecord, LogRecordSchema, type NewRun } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Payload, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { newRun } from "../engine/events.js";

/**
 * Decodes records of the log. A restart decodes all of it, and nearly all of it is four kinds of events: those are read by hand, in the same wire format, everything else by protobuf-es. A property test
 * holds the two against each other.
 */
export function decodeRecord(record: Uint8Array): LogRecord {
  const cursor = new Cursor(record);
  // Field 2 of LogRecord, length-delimited: a batch, and nothing else in the record.
  if (cursor.end > 0 && cursor.varint() === 0x12) {
    const length = cursor.varint();
    if (cursor.at + length === cursor.end) return { $typeName: "runlane.internal.v1.LogRecord", record: { case: "batch", value: batch(cursor) } };
  }
  return fromBinary(LogRecordSchema, record);
}

function batch(cursor: Cursor): Batch {
  const message: Batch = { $typeName: "runlane.internal.v1.Batch", epoch: 0n, number: 0n, nowMs: 0n, events: [] };
  while (cursor.at < cursor.end) {
    const tag = cursor.varint();
    if (tag === 0x08) message.epoch = BigInt(cursor.varint());
    else if (tag === 0x10) message.number = BigInt(cursor.varint());
    else if (tag === 0x18) message.nowMs = BigInt(cursor.varint());
    else if (tag === 0x22) message.events.push(event(cursor));
    else cursor.skip(tag);
  }
  return message;
}

function event(cursor: Cursor): Event {
  const end = cursor.varint() + cursor.at;
  const start = cursor.at;
  const tag = cursor.varint();
  const known = hot.get(tag);
  if (known && cursor.varint() + cursor.at === end) {
    const value = known(cursor, end);
    if (value) return { $typeName: "runlane.internal.v1.Event", event: value };
  }
  cursor.at = end;
  return fromBinary(EventSchema, cursor.view(start, end));
}

/** Readers by the event's tag; each returns undefined if it meets a field that it does not know. */
const hot = new Map<number, (cursor: Cursor, end: number) => Event["event"] | undefined>([
  [(2 << 3) | 2, runsCreated],
  [(7 << 3) | 2, runAssigned],
  [(8 << 3) | 2, runsAccepted],
  [(10 << 3) | 2, attemptSucceeded],
]);

function runsCreated(cursor: Cursor, end: number): Event["event"] | undefined {
  let environment = "";
  let requestId = "";
  let firstNumber = 0n;
  let parent = 0n;
  let commandId = 0;
  const runs: NewRun[] = [];
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) environment = cursor.repeatedText("environment");
    else if (tag === 0x12) requestId = cursor.text();
    else if (tag === 0x18) firstNumber = BigInt(cursor.varint());
    else if (tag === 0x22) {
      const run = created(cursor);
      if (!run) return undefined;
      runs.push(run);
    } else if (tag === 0x30) parent = BigInt(cursor.varint());
    else if (tag === 0x38) commandId = cursor.varint();
    else return undefined;
  }
  const value = { $typeName: "runlane.internal.v1.RunsCreated" as const, environment, requestId, firstNumber, runs, refused: [], parent, commandId };
  return { case: "runsCreated", value };
}

function created(cursor: Cursor): NewRun | undefined {
  const end = cursor.varint() + cursor.at;
  let taskId = "";
  let payload: Payload | undefined;
  let queue = "";
  let maxAttempts = 0;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) taskId = cursor.repeatedText("taskId");
    else if (tag === 0x12) payload = payloadOf(cursor);
    else if (tag === 0x1a) queue = cursor.repeatedText("queue");
    else if (tag === 0x20) maxAttempts = cursor.varint();
    else return undefined;
  }
  return newRun(taskId, payload, queue, maxAttempts);
}

function runAssigned(cursor: Cursor, end: number): Event["event"] | undefined {
  let run = 0n;
  let session = 0n;
  let attempt = 0;
  let nonce = 0n;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x08) run = BigInt(cursor.varint());
    else if (tag === 0x10) session = BigInt(cursor.varint());
    else if (tag === 0x18) attempt = cursor.varint();
    else if (tag === 0x21) nonce = cursor.fixed64();
    else return undefined;
  }
  return { case: "runAssigned", value: { $typeName: "runlane.internal.v1.RunAssigned", run, session, attempt, nonce } };
}

function runsAccepted(cursor: Cursor, end: number): Event["event"] | undefined {
  const runs: bigint[] = [];
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) {
      const last = cursor.varint() + cursor.at;
      while (cursor.at < last) runs.push(BigInt(cursor.varint()));
    } else if (tag === 0x08) {
      runs.push(BigInt(cursor.varint()));
    } else {
      return undefined;
    }
  }
  return { case: "runsAccepted", value: { $typeName: "runlane.internal.v1.RunsAccepted", runs } };
}

function attemptSucceeded(cursor: Cursor, end: number): Event["event"] | undefined {
  let run = 0n;
  let output: Payload | undefined;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x08) run = BigInt(cursor.varint());
    else if (tag === 0x12) output = payloadOf(cursor);
    else return undefined;
  }
  return { case: "attemptSucceeded", value: { $typeName: "runlane.internal.v1.AttemptSucceeded", run, ...(output ? { output } : {}) } };
}

function payloadOf(cursor: Cursor): Payload {
  const end = cursor.varint() + cursor.at;
  const start = cursor.at;
  let contentType = "";
  let data: Uint8Array = nothing;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) contentType = cursor.repeatedText("contentType");
    else if (tag === 0x12) data = cursor.slice();
    else {
      cursor.at = end;
      return fromBinary(PayloadSchema, cursor.view(start, end));
    }
  }
  return { $typeName: "runlane.v1.Payload", contentType, data, metadata: {} };
}

const nothing = new Uint8Array();

/** Reads the wire format (https://protobuf.dev/programming-guides/encoding). Numbers are safe integers: run numbers, sequences and times stay below 2^53. */
class Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
  }

  varint(): number {
    const { bytes } = this;
    let value = bytes[this.at++] as number;
    if (value < 0x80) return value;
    value &= 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = bytes[this.at++];
      if (byte === undefined || scale > 2 ** 49) throw new RangeError("the record is cut off, or holds a number beyond 2^53");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  fixed64(): bigint {
    this.at += 8;
    return this.bytes.readBigUInt64LE(this.at - 8);
  }

  slice(): Uint8Array {
    const length = this.varint();
    this.at += length;
    return this.view(this.at - length, this.at);
  }

  /** Bytes as they stand, without a copy. A Uint8Array: what a Buffer gives out would be Buffers all the way into the state. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, end - start);
  }

  text(): string {
    const length = this.varint();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  /** A text that is mostly the same as the last of its kind: comparing costs less than decoding, and one string serves for all. */
  repeatedText(kind: keyof typeof seen): string {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    const last = seen[kind];
    if (last.bytes.length === length && last.bytes.compare(this.bytes, start, this.at) === 0) return last.text;
    const bytes = Buffer.from(this.bytes.subarray(start, this.at));
    const text = bytes.toString("utf8");
    seen[kind] = { bytes, text };
    return text;
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.at += 8;
        return;
      case 2: {
        const length = this.varint();
        this.at += length;
        return;
      }
      case 5:
        this.at += 4;
        return;
      default:
        throw new RangeError("the record holds a field of a kind that protobuf does not know");
    }
  }
}

const unseen = { bytes: Buffer.alloc(0), text: "" };
const seen = { environment: unseen, taskId: unseen, queue: unseen, contentType: unseen };
