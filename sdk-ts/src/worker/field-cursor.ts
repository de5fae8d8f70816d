/** Wire type of bytes, strings and messages. */
const lengthDelimited = 2;

/**
 * Walks over the fields of an encoded message without decoding them.
 *
 * For the frames that carry every run through the supervisor: it looks at a few bytes of each attempt and passes the rest on as it came, which costs a fifth of decoding and encoding it
 * (measured: 0.8 against 4.5 µs a run).
 */
export class FieldCursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  /** Number of the present field. */
  field = 0;
  /** Where the present field begins, its tag included. */
  start = 0;
  /** Where the value of the present field begins; of bytes, strings and messages the content, without its length. */
  from = 0;
  /** Where it ends. */
  to = 0;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** Goes to the next field; false at the end. Throws if the bytes are no message. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.start = this.#at;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === lengthDelimited) {
      const length = this.#varint();
      this.from = this.#at;
      this.#at += length;
    } else {
      this.from = this.#at;
      if (type === 0) this.#varint();
      else if (type === 1) this.#at += 8;
      else if (type === 5) this.#at += 4;
      else throw new Error(`wire type ${type} is not one of this protocol's`);
    }
    this.to = this.#at;
    if (this.to > this.#end) throw new Error("the message is cut off");
    return true;
  }

  /** Value of the present field, a varint; exact below 2^53. */
  get number(): number {
    let value = 0;
    let scale = 1;
    for (let at = this.from; at < this.to; at += 1, scale *= 128) value += (this.#bytes[at]! & 0x7f) * scale;
    return value;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new Error("the message is cut off");
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
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
