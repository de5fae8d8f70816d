import { fromBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema, type RunSettings, RunSettingsSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Failure, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";

/** A run as a record of the log tells of its creation. */
export interface ScannedRun {
  taskId: string;
  queue: string;
  askedAttempts: number;
  /** What most triggers do not ask for. */
  settings: RunSettings | undefined;
  /** As it is encoded. */
  payload: Uint8Array | null;
  /** It is final from the start. */
  failure: Failure | undefined;
}

/** Hears what a record says, in its order. Bytes are views of the record. */
export interface RecordListener {
  /** A batch begins. */
  batch(nowMs: number): void;
  /** `version`: what the runs are bound to, unless their settings say otherwise; empty for none. `batch`: the number of theirs; 0 for none. */
  created(environment: string, firstNumber: number, parent: number, runs: ScannedRun[], version: string, batch: number): void;
  assigned(run: number, session: number, attempt: number): void;
  accepted(run: number): void;
  succeeded(run: number, output: Uint8Array | null): void;
  /** Any other event. */
  event(event: Event["event"]): void;
}

/**
 * Reads a record of the log for history. The four frequent events are read by hand, in the wire format, with payloads and outputs left as they are encoded: history only stores them, and
 * what newer versions put into them is kept. Everything else is decoded by protobuf-es.
 */
export function scanRecord(record: Uint8Array, listener: RecordListener): void {
  const cursor = new Scan(record);
  while (cursor.at < cursor.end) {
    const tag = cursor.varint();
    if (tag === batchTag) scanBatch(cursor, cursor.varint() + cursor.at, listener);
    else cursor.skip(tag);
  }
}

const batchTag = (2 << 3) | 2;

function scanBatch(cursor: Scan, end: number, listener: RecordListener): void {
  // The time stands before the events, but protobuf does not promise it.
  const start = cursor.at;
  let nowMs = 0;
  while (cursor.at < end && nowMs === 0) {
    const tag = cursor.varint();
    if (tag === 0x18) nowMs = cursor.varint();
    else cursor.skip(tag);
  }
  listener.batch(nowMs);
  cursor.at = start;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x22) scanEvent(cursor, cursor.varint() + cursor.at, listener);
    else cursor.skip(tag);
  }
}

function scanEvent(cursor: Scan, end: number, listener: RecordListener): void {
  const start = cursor.at;
  const kind = start < end ? cursor.varint() >>> 3 : 0;
  const inner = start < end ? cursor.varint() + cursor.at : end;
  // An event is a oneof: one field, and nothing behind it.
  if (inner === end && kind === 2) scanCreated(cursor, end, listener);
  else if (inner === end && kind === 7) scanAssigned(cursor, end, listener);
  else if (inner === end && kind === 8) scanAccepted(cursor, end, listener);
  else if (inner === end && kind === 10) scanSucceeded(cursor, end, listener);
  else listener.event(fromBinary(EventSchema, cursor.view(start, end)).event);
  cursor.at = end;
}

function scanCreated(cursor: Scan, end: number, listener: RecordListener): void {
  let environment = "";
  let first = 0;
  let parent = 0;
  let version = "";
  let batch = 0;
  const runs: ScannedRun[] = [];
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) environment = cursor.text("environment");
    else if (tag === 0x18) first = cursor.varint();
    else if (tag === 0x22) runs.push(scanRun(cursor, cursor.varint() + cursor.at));
    else if (tag === 0x30) parent = cursor.varint();
    else if (tag === 0x42) version = cursor.text("version");
    else if (tag === 0x50) batch = cursor.varint();
    else cursor.skip(tag);
  }
  if (runs.length > 0) listener.created(environment, first, parent, runs, version, batch);
}

function scanRun(cursor: Scan, end: number): ScannedRun {
  const run: ScannedRun = { taskId: "", queue: "", askedAttempts: 0, settings: undefined, payload: null, failure: undefined };
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) run.taskId = cursor.text("task");
    else if (tag === 0x12) run.payload = cursor.bytes();
    else if (tag === 0x1a) run.queue = cursor.text("queue");
    else if (tag === 0x20) run.askedAttempts = cursor.varint();
    else if (tag === 0x2a) run.settings = fromBinary(RunSettingsSchema, cursor.bytes());
    else if (tag === 0x32) run.failure = fromBinary(FailureSchema, cursor.bytes());
    else cursor.skip(tag);
  }
  return run;
}

function scanAssigned(cursor: Scan, end: number, listener: RecordListener): void {
  let run = 0;
  let session = 0;
  let attempt = 0;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x08) run = cursor.varint();
    else if (tag === 0x10) session = cursor.varint();
    else if (tag === 0x18) attempt = cursor.varint();
    else cursor.skip(tag);
  }
  listener.assigned(run, session, attempt);
}

function scanAccepted(cursor: Scan, end: number, listener: RecordListener): void {
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) {
      const last = cursor.varint() + cursor.at;
      while (cursor.at < last) listener.accepted(cursor.varint());
    } else if (tag === 0x08) listener.accepted(cursor.varint());
    else cursor.skip(tag);
  }
}

function scanSucceeded(cursor: Scan, end: number, listener: RecordListener): void {
  let run = 0;
  let output: Uint8Array | null = null;
  while (cursor.at < end) {
    const tag = cursor.varint();
    if (tag === 0x08) run = cursor.varint();
    else if (tag === 0x12) output = cursor.bytes();
    else cursor.skip(tag);
  }
  listener.succeeded(run, output);
}

/** Texts that are mostly the same as the last of their kind. */
const seen = {
  version: { bytes: Buffer.alloc(0), text: "" },
  environment: { bytes: Buffer.alloc(0), text: "" },
  task: { bytes: Buffer.alloc(0), text: "" },
  queue: { bytes: Buffer.alloc(0), text: "" },
};

/** Reads the wire format (https://protobuf.dev/programming-guides/encoding). Numbers are safe integers. */
class Scan {
  readonly #buffer: Buffer;
  readonly end: number;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
  }

  varint(): number {
    const buffer = this.#buffer;
    let byte = buffer[this.at++] as number;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      if (this.at >= this.end || scale > 2 ** 63) throw new RangeError("the record is cut off");
      byte = buffer[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  view(start: number, end: number): Uint8Array {
    return this.#buffer.subarray(start, end);
  }

  bytes(): Uint8Array {
    const length = this.varint();
    this.at += length;
    return this.#buffer.subarray(this.at - length, this.at);
  }

  text(kind: keyof typeof seen): string {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    const last = seen[kind];
    if (last.bytes.length === length && last.bytes.compare(this.#buffer, start, this.at) === 0) return last.text;
    const bytes = Buffer.from(this.#buffer.subarray(start, this.at));
    seen[kind] = { bytes, text: bytes.toString("utf8") };
    return seen[kind].text;
  }

  skip(tag: number): void {
    const wire = tag & 7;
    if (wire === 0) this.varint();
    else if (wire === 1) this.at += 8;
    else if (wire === 2) {
      const length = this.varint();
      this.at += length;
    } else if (wire === 5) this.at += 4;
    else throw new RangeError("the record holds a field of a kind that protobuf does not know");
  }
}
