import type { Duplex } from "node:stream";

const headerLength = 4;

/** A frame on a pipe that is longer is a defect, not a message. */
const maxFrameLength = 256 * 1024 * 1024;

/**
 * Frames on a pipe: a length of four bytes, big endian, then the bytes. Both ends use it.
 *
 * What was given to `send` is one write. Frames are handed to `onFrame` synchronously and in order; their bytes are a view of what was read, so whoever keeps a part
 * copies it.
 */
export class FramePipe {
  readonly #stream: Duplex;
  readonly #onFrame: (frame: Uint8Array) => void;
  /** What was read and makes no whole frame yet. */
  #parts: Buffer[] = [];
  #available = 0;

  constructor(stream: Duplex, onFrame: (frame: Uint8Array) => void) {
    this.#stream = stream;
    this.#onFrame = onFrame;
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
  }

  /** Sends a frame. Dropped if the other end is gone. */
  send(frame: Uint8Array): void {
    if (this.#stream.destroyed) return;
    // One buffer: a copy costs less than a second chunk of the stream.
    const bytes = Buffer.allocUnsafe(headerLength + frame.length);
    bytes.writeUInt32BE(frame.length);
    bytes.set(frame, headerLength);
    this.#stream.write(bytes);
  }

  #receive(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#available += chunk.length;
    if (this.#available < headerLength || this.#available < this.#needed()) return;
    let bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    while (bytes.length >= headerLength) {
      const end = headerLength + bytes.readUInt32BE();
      if (bytes.length < end) break;
      this.#onFrame(bytes.subarray(headerLength, end));
      bytes = bytes.subarray(end);
    }
    this.#available = bytes.length;
    if (bytes.length > 0) this.#parts.push(bytes);
  }

  /** Bytes of the first frame with its header; only the header's length while that is not whole. */
  #needed(): number {
    if (this.#parts[0]!.length < headerLength) this.#parts = [Buffer.concat(this.#parts)];
    const first = this.#parts[0]!;
    if (first.length < headerLength) return headerLength;
    const length = first.readUInt32BE();
    if (length > maxFrameLength) throw new Error(`a frame of ${length} bytes is announced on a pipe that carries none as long`);
    return headerLength + length;
  }
}
