/** Wire type of bytes, strings and messages. */
const lengthDelimited = 2;
/** Characters up to which a loop is quicker than a call into native code. */
const shortString = 48;

/** Writes the fields of a message, one after the other; the counterpart of FieldCursor. Numbers of fields are below 16, lengths below 2^28. */
export class FieldWriter {
  #bytes: Buffer;
  #at = 0;

  /** `capacity` is a guess, in bytes; it grows. */
  constructor(capacity = 1_024) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** What was written: a view, so the writer is not to be used any more. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A whole number from 0 to 2^53. */
  number(field: number, value: number): void {
    this.#reserve(11);
    this.#bytes[this.#at++] = field * 8;
    this.#varint(value);
  }

  /** A string, in UTF-8. */
  string(field: number, value: string): void {
    const { length } = value;
    this.#reserve(6 + 3 * length);
    this.#bytes[this.#at++] = field * 8 + lengthDelimited;
    if (length <= shortString) {
      const start = this.#at;
      this.#bytes[this.#at++] = length;
      for (let index = 0; index < length; index += 1) {
        const code = value.charCodeAt(index);
        if (code > 0x7f) {
          this.#at = start;
          break;
        }
        this.#bytes[this.#at++] = code;
      }
      if (this.#at !== start) return;
    }
    this.#varint(Buffer.byteLength(value));
    this.#at += this.#bytes.write(value, this.#at);
  }

  /** Bytes, one character each. */
  latin1(field: number, value: string): void {
    this.#reserve(6 + value.length);
    this.#bytes[this.#at++] = field * 8 + lengthDelimited;
    this.#varint(value.length);
    this.#at += this.#bytes.write(value, this.#at, "latin1");
  }

  /** Bytes, or an encoded message. */
  bytes(field: number, value: Uint8Array): void {
    this.#reserve(6 + value.length);
    this.#bytes[this.#at++] = field * 8 + lengthDelimited;
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Fields of the message itself that are encoded already. */
  fields(encoded: Uint8Array): void {
    this.#reserve(encoded.length);
    this.#bytes.set(encoded, this.#at);
    this.#at += encoded.length;
  }

  /** Begins a message, whose fields come next, or a packed list. The result goes to `end`. If `expectedLength`, in bytes, is nearly right, nothing has to be moved there. */
  begin(field: number, expectedLength: number): number {
    this.#reserve(6 + expectedLength);
    this.#bytes[this.#at++] = field * 8 + lengthDelimited;
    this.#at += varintLength(expectedLength);
    return this.#at;
  }

  /** Ends the message that `begin` has begun with the same `expectedLength`. */
  end(begun: number, expectedLength: number): void {
    const length = this.#at - begun;
    const reserved = varintLength(expectedLength);
    const needed = varintLength(length);
    if (reserved !== needed) {
      this.#reserve(4);
      this.#bytes.copyWithin(begun - reserved + needed, begun, this.#at);
    }
    this.#at = begun - reserved;
    this.#varint(length);
    this.#at += length;
  }

  /** A value of a packed list. */
  packed(value: number): void {
    this.#reserve(10);
    this.#varint(value);
  }

  #varint(value: number): void {
    let rest = value;
    // Beyond 2^31 there are no shifts.
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
  }
}

/** Encoded fields to append to a message: a repeated field may be written in several places. */
export interface EncodedFields {
  /** Number of the field, below 16. */
  readonly field: number;
  readonly values: readonly Uint8Array[];
}

/** A message, and behind it further values of one of its repeated fields of bytes, strings or messages. */
export function appendFields(message: Uint8Array, { field, values }: EncodedFields): Uint8Array {
  if (values.length === 0) return message;
  let length = message.length;
  for (const value of values) length += 1 + varintLength(value.length) + value.length;
  const joined = Buffer.allocUnsafe(length);
  joined.set(message);
  let at = message.length;
  for (const value of values) {
    joined[at] = field * 8 + lengthDelimited;
    at += 1;
    let rest = value.length;
    for (; rest > 0x7f; rest >>>= 7) {
      joined[at] = (rest & 0x7f) | 0x80;
      at += 1;
    }
    joined[at] = rest;
    joined.set(value, at + 1);
    at += 1 + value.length;
  }
  return joined;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) length += 1;
  return length;
}

/** Bytes of a field of bytes, a string or a message, with tag and length. */
export function nestedLength(length: number): number {
  return 1 + varintLength(length) + length;
}
