import { crc32 } from "node:zlib";
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { decodeMessage, encodeMessage } from "@runlane/platform";
import { SnapshotChunkSchema, type SnapshotRecord, SnapshotRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

/** Most bytes of a chunk as it is stored: half of what NATS takes as one message. */
export const chunkBytes = 512 * 1024;
/** For the fields of a chunk beside its data. */
const overheadBytes = 32;

/** Cuts records into chunks as the store keeps them. Holds one chunk in memory, besides the record that is being written. */
export function* snapshotChunks(records: Iterable<SnapshotRecord>, mostBytes = chunkBytes): Generator<Uint8Array> {
  const room = mostBytes - overheadBytes;
  const data = new Uint8Array(room);
  let at = 0;
  let index = 0;
  let checksum = 0;
  const full = (): Uint8Array => {
    const part = data.subarray(0, at);
    checksum = crc32(part, checksum);
    const chunk = toBinary(SnapshotChunkSchema, { $typeName: "runlane.internal.v1.SnapshotChunk", index, checksum, data: part });
    index += 1;
    at = 0;
    return chunk;
  };
  for (const record of records) {
    const bytes = encodeMessage(SnapshotRecordSchema, record);
    for (const part of [lengthOf(bytes), bytes]) {
      for (let from = 0; from < part.length; ) {
        const taken = Math.min(room - at, part.length - from);
        data.set(part.subarray(from, from + taken), at);
        from += taken;
        at += taken;
        if (at === room) yield full();
      }
    }
  }
  if (at > 0) yield full();
}

/** Reads chunks in their order. What is not as it was written ends in SnapshotUnreadable. */
export class ChunkReader {
  #index = 0;
  #checksum = 0;
  /** Beginning of a record that goes on in the next chunk. */
  #rest: Uint8Array = new Uint8Array();

  /** Whether the last record is whole. */
  get whole(): boolean {
    return this.#rest.length === 0;
  }

  /** The data of the next chunk, once it has proved to be the one that was written. A view of `bytes`. */
  data(bytes: Uint8Array): Uint8Array {
    let chunk: { index: number; checksum: number; data: Uint8Array };
    try {
      chunk = fromBinary(SnapshotChunkSchema, bytes);
    } catch (error) {
      throw new SnapshotUnreadable(`chunk ${this.#index} of the snapshot is damaged`, { cause: error });
    }
    this.#checksum = crc32(chunk.data, this.#checksum);
    if (chunk.index !== this.#index || chunk.checksum !== this.#checksum) throw new SnapshotUnreadable(`chunk ${this.#index} of the snapshot is damaged`);
    this.#index += 1;
    return chunk.data;
  }

  /** The records that end in the next chunk. They keep what they are made of: one buffer for each chunk. */
  *records(bytes: Uint8Array): Generator<SnapshotRecord> {
    // NATS hands out views of its read buffer, which would be kept alive as a whole.
    let data: Uint8Array = this.data(bytes).slice();
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + data.length);
      joined.set(this.#rest);
      joined.set(data, this.#rest.length);
      data = joined;
    }
    let at = 0;
    for (;;) {
      const length = readLength(data, at);
      if (!length || length.end + length.value > data.length) break;
      at = length.end + length.value;
      yield decode(data.subarray(length.end, at));
    }
    this.#rest = data.slice(at);
  }
}

function decode(bytes: Uint8Array): SnapshotRecord {
  let record: SnapshotRecord;
  try {
    record = decodeMessage(SnapshotRecordSchema, bytes);
  } catch (error) {
    throw new SnapshotUnreadable("the snapshot holds a record that is none", { cause: error });
  }
  const { record: kind } = record;
  // Runs are many. What is read by hand is known; the rest of a run is not.
  const more = kind.case === "run" && !kind.value.$unknown ? kind.value.more : record;
  if (more && saysMore(more)) throw new SnapshotUnreadable("the snapshot says more than this version knows; start the version that wrote it, or a newer one");
  return record;
}

/** Whether a newer version wrote facts that this one would forget. What workers and programs say, and newer ones may say more of, is not looked into. */
function saysMore(message: Message): boolean {
  if (!message.$typeName.startsWith("runlane.internal.v1.Snapshot")) return false;
  if (message.$unknown) return true;
  // Not Object.values: a backlog has a million of them.
  for (const field in message) {
    const value: unknown = message[field as keyof Message];
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) {
      if (value.some((each) => isMessage(each) && saysMore(each))) return true;
    } else if (isMessage(value)) {
      if (saysMore(value)) return true;
    } else if (isCase(value) && isMessage(value.value) && saysMore(value.value)) return true;
  }
  return false;
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "$typeName" in value;
}

function isCase(value: unknown): value is { value: unknown } {
  return typeof value === "object" && value !== null && "case" in value;
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  length.push(rest);
  return Uint8Array.from(length);
}

function readLength(data: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = start, shift = 0; at < data.length && shift < 35; at++, shift += 7) {
    const byte = data[at] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}
