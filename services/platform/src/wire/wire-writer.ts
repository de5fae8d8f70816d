import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** Writes the fields of a message. */
export type WriteMessage<M> = (write: WireWriter, message: M) => void;

/**
 * Writes protobuf's wire format (https://protobuf.dev/programming-guides/encoding) into one buffer that it keeps. Every method writes its field, whatever the value: who calls leaves out what has its
 * default value, unless the field is part of a list or a oneof, or says whether it is set.
 */
export class WireWriter {
  #bytes = new Uint8Array(64 * 1024);
  #buffer = bufferOf(this.#bytes);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The message in bytes of exactly its size: who keeps a part of them keeps nothing of this writer. */
  encode<M>(write: WriteMessage<M>, message: M): Uint8Array {
    this.#at = 0;
    write(this, message);
    return this.#bytes.slice(0, this.#at);
  }

  /** An integer of at most 53 bits, or an enum's number. */
  int(field: number, value: number): void {
    if (value < 0) return this.int64(field, BigInt(value));
    this.#room(20);
    this.#varint(field * 8);
    this.#varint(value);
  }

  /** A 64-bit integer, signed or not. */
  int64(field: number, value: bigint): void {
    this.#room(20);
    this.#varint(field * 8);
    this.#varint64(value);
  }

  /** A 64-bit integer that may well be below 0, as `sint64` has it. */
  sint64(field: number, value: bigint): void {
    this.int64(field, value >= 0n ? value * 2n : -value * 2n - 1n);
  }

  /** A boolean that is true. */
  yes(field: number): void {
    this.int(field, 1);
  }

  double(field: number, value: number): void {
    this.#room(18);
    this.#varint(field * 8 + 1);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  fixed64(field: number, value: bigint): void {
    this.#room(18);
    this.#varint(field * 8 + 1);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(field: number, value: Uint8Array): void {
    const { length } = value;
    this.#room(20 + length);
    this.#varint(field * 8 + 2);
    this.#varint(length);
    // Below about this many bytes a loop costs less than the call.
    const bytes = this.#bytes;
    const at = this.#at;
    if (length < 48) for (let i = 0; i < length; i++) bytes[at + i] = value[i]!;
    else bytes.set(value, at);
    this.#at = at + length;
  }

  text(field: number, value: string): void {
    const { length } = value;
    this.#room(20 + length * 3);
    this.#varint(field * 8 + 2);
    if (length < 48 && this.#ascii(value)) return;
    this.#varint(Buffer.byteLength(value));
    this.#at += this.#buffer.write(value, this.#at, "utf8");
  }

  /** An entry of a map from texts to texts. */
  entry(field: number, key: string, value: string): void {
    const mark = this.open(field);
    this.text(1, key);
    this.text(2, value);
    this.close(mark);
  }

  /** Integers of at most 53 bits, packed. */
  ints(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const mark = this.open(field);
    this.#room(10 * values.length);
    for (const value of values) this.#varint(value);
    this.close(mark);
  }

  /** 64-bit integers, packed. */
  int64s(field: number, values: readonly bigint[]): void {
    if (values.length === 0) return;
    const mark = this.open(field);
    this.#room(10 * values.length);
    for (const value of values) this.#varint64(value);
    this.close(mark);
  }

  /** A message that is not worth a codec by hand. */
  cold<D extends DescMessage>(field: number, schema: D, message: MessageShape<D>): void {
    this.bytes(field, toBinary(schema, message));
  }

  /** All fields of a message that is not worth a codec by hand, as they would stand in it. */
  fields<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
    const value = toBinary(schema, message);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /**
   * Begins a message; its fields follow, then {@link close} with what this returned. What was reserved for its length is put right there.
   *
   * @param lengthBytes how many bytes its length will probably take: 1 if it has less than 128 bytes, 2 below 16 KiB
   */
  open(field: number, lengthBytes = 1): number {
    this.#room(20);
    this.#varint(field * 8 + 2);
    this.#bytes[this.#at] = lengthBytes;
    this.#at += lengthBytes;
    return this.#at - lengthBytes;
  }

  close(mark: number): void {
    const reserved = this.#bytes[mark]!;
    const start = mark + reserved;
    const length = this.#at - start;
    const needed = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
    if (needed !== reserved) {
      this.#room(4);
      this.#bytes.copyWithin(mark + needed, start, this.#at);
    }
    this.#at = mark;
    this.#varint(length);
    this.#at += length;
  }

  /** Writes a short text with its length, if it is ASCII. */
  #ascii(value: string): boolean {
    const { length } = value;
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + i] = code;
    }
    bytes[this.#at] = length;
    this.#at = start + length;
    return true;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    if (rest > 0xffff_ffff) {
      if (!Number.isSafeInteger(rest)) throw new RangeError(`${value} is no integer of 53 bits`);
      for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    }
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  #varint64(value: bigint): void {
    if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) return this.#varint(Number(value));
    let rest = BigInt.asUintN(64, value);
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  #room(more: number): void {
    if (this.#at + more > this.#bytes.length) this.#grow(more);
  }

  #grow(more: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + more));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#buffer = bufferOf(larger);
    this.#view = new DataView(larger.buffer);
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
