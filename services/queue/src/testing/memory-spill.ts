import type { Spill, SpilledSegment } from "../engine/payload-arena.js";

/** A spill whose disk is memory, for looking at what is there. */
export class MemorySpill implements Spill {
  readonly segments = new Set<Uint8Array>();
  /** Segments that it still takes. */
  room = Number.POSITIVE_INFINITY;

  write(bytes: Uint8Array): SpilledSegment | undefined {
    if (this.segments.size >= this.room) return undefined;
    const copy = bytes.slice();
    this.segments.add(copy);
    return {
      read: () => {
        if (!this.segments.has(copy)) throw new Error("a segment is read that was dropped");
        return copy.slice();
      },
      drop: () => void this.segments.delete(copy),
    };
  }
}
