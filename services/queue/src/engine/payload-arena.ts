/** Bytes of one segment. Larger than any payload in the log (128 KiB). */
const segmentBytes = 256 * 1024;

/** Segments of the disk that are kept at hand after they were read: queues take turns, and their runs came about together. */
const atHand = 8;

/** Where segments are put for which memory has no room: memory that happens to be on disk. Nothing in it outlives the process. */
export interface Spill {
  /** Takes a segment; undefined if it cannot, so that memory keeps it. */
  write(bytes: Uint8Array): SpilledSegment | undefined;
}

/** A segment on disk. */
export interface SpilledSegment {
  /** Throws if the disk fails: the state in memory is lost then, and the log has it. */
  read(): Uint8Array;
  drop(): void;
}

/** A stretch of the arena. */
interface Segment {
  bytes: Uint8Array | undefined;
  spilled: SpilledSegment | undefined;
  /** Bytes that somebody still needs. */
  live: number;
}

/**
 * Payloads of runs that wait far back, one behind the other: an object for each would cost more than most of them have bytes. A segment is freed when its last payload is, which comes soon,
 * because runs leave about as they came.
 */
export class PayloadArena {
  readonly #segments = new Map<number, Segment>();
  readonly #atHand: { index: number; bytes: Uint8Array }[] = [];
  readonly #spill: Spill | undefined;
  readonly #memoryBytes: number;
  #end = 0;
  #inMemory = 0;

  /** `memoryBytes`: what may stay in memory where there is a spill. */
  constructor(spill: Spill | undefined, memoryBytes: number) {
    this.#spill = spill;
    this.#memoryBytes = memoryBytes;
  }

  /** Whether it takes so many bytes at once. */
  takes(bytes: number): boolean {
    return bytes <= segmentBytes;
  }

  /** Keeps a copy. Returns where it is. */
  put(bytes: Uint8Array): number {
    let index = Math.floor(this.#end / segmentBytes);
    if (this.#end + bytes.length > (index + 1) * segmentBytes) {
      index += 1;
      this.#end = index * segmentBytes;
    }
    const at = this.#end;
    const segment = this.#segmentAt(index);
    segment.bytes?.set(bytes, at - index * segmentBytes);
    segment.live += bytes.length;
    this.#end += bytes.length;
    return at;
  }

  /** A copy of what is kept there. */
  get(at: number, bytes: number): Uint8Array {
    if (bytes === 0) return new Uint8Array();
    const index = Math.floor(at / segmentBytes);
    const from = at - index * segmentBytes;
    return this.#bytesOf(index).slice(from, from + bytes);
  }

  /** Nobody needs this any more. */
  drop(at: number, bytes: number): void {
    const index = Math.floor(at / segmentBytes);
    const segment = this.#segments.get(index);
    if (!segment) return;
    segment.live -= bytes;
    // The one that is being filled stays.
    if (segment.live > 0 || index === Math.floor(this.#end / segmentBytes)) return;
    this.#free(index, segment);
  }

  #segmentAt(index: number): Segment {
    let segment = this.#segments.get(index);
    if (!segment) {
      this.#close(index - 1);
      segment = { bytes: new Uint8Array(segmentBytes), spilled: undefined, live: 0 };
      this.#inMemory += segmentBytes;
      this.#segments.set(index, segment);
    }
    return segment;
  }

  /** A segment is full. What was put last is needed last, so it is this one that leaves memory. */
  #close(index: number): void {
    const segment = this.#segments.get(index);
    if (!segment?.bytes) return;
    if (segment.live === 0) return this.#free(index, segment);
    if (this.#inMemory <= this.#memoryBytes) return;
    segment.spilled = this.#spill?.write(segment.bytes);
    if (!segment.spilled) return;
    segment.bytes = undefined;
    this.#inMemory -= segmentBytes;
  }

  #free(index: number, segment: Segment): void {
    this.#segments.delete(index);
    if (segment.bytes) this.#inMemory -= segmentBytes;
    segment.spilled?.drop();
    const place = this.#atHand.findIndex((each) => each.index === index);
    if (place >= 0) this.#atHand.splice(place, 1);
  }

  #bytesOf(index: number): Uint8Array {
    const segment = this.#segments.get(index);
    if (!segment) throw new Error(`segment ${index} of the payloads was freed while it was needed`);
    if (segment.bytes) return segment.bytes;
    const found = this.#atHand.find((each) => each.index === index);
    if (found) return found.bytes;
    const bytes = segment.spilled?.read();
    if (!bytes) throw new Error(`segment ${index} of the payloads is nowhere`);
    this.#atHand.push({ index, bytes });
    if (this.#atHand.length > atHand) this.#atHand.shift();
    return bytes;
  }
}
