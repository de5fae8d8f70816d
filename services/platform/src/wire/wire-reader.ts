import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";

/** Reads the fields of a message up to `end`. */
export type ReadMessage<M> = (read: WireReader, end: number) => M;

/** Thrown where a message holds something that is not read by hand: protobuf-es then reads the whole of it, and says what is wrong if something is. */
export const notByHand = new Error("not read by hand");

/** A text that is mostly the same as the last of its kind: comparing costs less than decoding, and one string serves for all. */
export class LastText {
  text = "";
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding). Reads what is common: whatever else the format allows, such as fields of a later version, integers beyond 53 bits,
 * messages to be merged, ends in {@link notByHand}.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  #at = 0;
  #type = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether the message that ends at `end` has another field. */
  more(end: number): boolean {
    if (this.#at > end) throw notByHand;
    return this.#at < end;
  }

  /** Number of the next field; one of the methods below then reads its value. */
  field(): number {
    const tag = this.#varint();
    this.#type = tag & 7;
    return tag <= 0xffff_ffff ? tag >>> 3 : 0;
  }

  /** Opens a message, and returns where it ends. `before` is the field's value so far: protobuf would merge the two. */
  open(before?: unknown): number {
    if (this.#type !== 2 || before !== undefined) throw notByHand;
    const end = this.#varint() + this.#at;
    if (end > this.#bytes.length) throw notByHand;
    return end;
  }

  /** Number of the next field, which stays the next. */
  peek(): number {
    const at = this.#at;
    const field = this.field();
    this.#at = at;
    return field;
  }

  uint32(): number {
    const value = this.#integer();
    if (value > 0xffff_ffff) throw notByHand;
    return value;
  }

  /** An enum's number. */
  enum(): number {
    const value = this.#integer();
    if (value > 0x7fff_ffff) throw notByHand;
    return value;
  }

  /** A 64-bit integer, signed or not. */
  int64(): bigint {
    return BigInt(this.#integer());
  }

  /** A 64-bit integer that may well be below 0, as `sint64` has it. */
  sint64(): bigint {
    const value = this.#integer();
    return BigInt(value % 2 === 0 ? value / 2 : -(value + 1) / 2);
  }

  bool(): boolean {
    return this.#integer() !== 0;
  }

  double(): number {
    if (this.#type !== 1 || this.#at + 8 > this.#bytes.length) throw notByHand;
    this.#at += 8;
    return this.#buffer.readDoubleLE(this.#at - 8);
  }

  fixed64(): bigint {
    if (this.#type !== 1 || this.#at + 8 > this.#bytes.length) throw notByHand;
    this.#at += 8;
    return this.#buffer.readBigUInt64LE(this.#at - 8);
  }

  /** Bytes as they stand, without a copy. A Uint8Array: what a Buffer gives out would be Buffers all the way into the state. */
  bytes(): Uint8Array {
    const end = this.open();
    const start = this.#at;
    this.#at = end;
    return this.#view(start, end);
  }

  text(): string {
    const end = this.open();
    const start = this.#at;
    this.#at = end;
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return utf8(this.#view(start, end));
    return this.#buffer.toString("latin1", start, end);
  }

  /** A text that is probably the same as the last of its kind. */
  sameText(kind: LastText): string {
    const at = this.#at;
    const end = this.open();
    const start = this.#at;
    const last = kind.text;
    if (last.length === end - start) {
      let i = 0;
      while (i < last.length && last.charCodeAt(i) === this.#bytes[start + i]) i++;
      if (i === last.length) {
        this.#at = end;
        return last;
      }
    }
    this.#at = at;
    const text = this.text();
    // Only ASCII: there a byte is a character.
    if (text.length === end - start) kind.text = text;
    return text;
  }

  /** An entry of a map from texts to texts. */
  entry(into: Record<string, string>): void {
    let key = "";
    let value = "";
    const end = this.open();
    while (this.more(end)) {
      const field = this.field();
      if (field === 1) key = this.text();
      else if (field === 2) value = this.text();
      else throw notByHand;
    }
    if (key === "__proto__") throw notByHand;
    into[key] = value;
  }

  /** Values of a list of uint32, packed or one. */
  uint32s(into: number[]): void {
    if (this.#type === 0) into.push(this.uint32());
    else this.#packed(() => into.push(this.uint32()));
  }

  /** Values of a list of 64-bit integers, packed or one. */
  int64s(into: bigint[]): void {
    if (this.#type === 0) into.push(this.int64());
    else this.#packed(() => into.push(this.int64()));
  }

  /** A message that is not worth a codec by hand. */
  cold<D extends DescMessage>(schema: D, before?: unknown): MessageShape<D> {
    return this.rest(schema, this.open(before));
  }

  /** What there is of an opened message, which is not worth a codec by hand. */
  rest<D extends DescMessage>(schema: D, end: number): MessageShape<D> {
    const start = this.#at;
    this.#at = end;
    try {
      return fromBinary(schema, this.#view(start, end));
    } catch {
      throw notByHand;
    }
  }

  #view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start);
  }

  #packed(take: () => void): void {
    const end = this.open();
    this.#type = 0;
    while (this.more(end)) take();
  }

  #integer(): number {
    if (this.#type !== 0) throw notByHand;
    return this.#varint();
  }

  #varint(): number {
    const bytes = this.#bytes;
    const first = bytes[this.#at++];
    if (first === undefined) throw notByHand;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 0x80; scale <= 2 ** 49; scale *= 0x80) {
      const byte = bytes[this.#at++];
      if (byte === undefined) throw notByHand;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw notByHand;
        return value;
      }
    }
    throw notByHand;
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw notByHand;
  }
}
