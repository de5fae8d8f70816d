import fc from "fast-check";
import { expect, it } from "vitest";
import { MemorySpill } from "../testing/memory-spill.js";
import { PayloadArena } from "./payload-arena.js";

const segmentBytes = 256 * 1024;

/** Bytes that no other payload of a test has. */
function payload(index: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(index + 1);
}

it("whatever comes and goes, and wherever it is kept: a payload is what was put", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 128 * 1024 }), { minLength: 5, maxLength: 20 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 4 }), fc.infiniteStream(fc.boolean()), (lengths, room, drops) => {
      const spill = new MemorySpill();
      spill.room = room;
      const arena = new PayloadArena(spill, segmentBytes);
      const kept = new Map<number, number>();
      for (const [index, length] of lengths.entries()) {
        kept.set(index, arena.put(payload(index, length)));
        for (const [other, at] of kept) {
          const bytes = lengths[other] as number;
          expect(Buffer.compare(arena.get(at, bytes), payload(other, bytes))).toBe(0);
          if (!drops.next().value) continue;
          arena.drop(at, bytes);
          kept.delete(other);
        }
      }
    }),
    { numRuns: 30 },
  );
});

it("what is full leaves memory, and the disk when nobody needs it any more", () => {
  const spill = new MemorySpill();
  const arena = new PayloadArena(spill, 0);
  const bytes = 100 * 1024;
  const places = Array.from({ length: 20 }, (_, i) => arena.put(payload(i, bytes)));
  // Two to a segment; the last is being filled.
  expect(spill.segments.size).toBe(9);
  for (const [i, at] of places.entries()) {
    expect(Buffer.compare(arena.get(at, bytes), payload(i, bytes))).toBe(0);
    arena.drop(at, bytes);
  }
  expect(spill.segments.size).toBe(0);
});

it("takes what the log takes, and no more than a segment", () => {
  const arena = new PayloadArena(undefined, 0);
  expect([arena.takes(128 * 1024), arena.takes(segmentBytes), arena.takes(segmentBytes + 1)]).toEqual([true, true, false]);
});
