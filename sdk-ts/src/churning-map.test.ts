import fc from "fast-check";
import { expect, test } from "vitest";
import { ChurningMap } from "./churning-map.js";

test("is a Map, whatever is done with it", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(fc.record({ set: key, value: fc.nat() }), fc.record({ take: key }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const map = new Map<string, number>();
      const churning = new ChurningMap<number>();
      for (const step of steps) {
        if ("set" in step) {
          map.set(step.set, step.value);
          churning.set(step.set, step.value);
        } else {
          expect(churning.take(step.take)).toBe(map.get(step.take));
          map.delete(step.take);
        }
        expect([...churning.keys()]).toEqual([...map.keys()]);
        expect([...churning.values()]).toEqual([...map.values()]);
        expect(churning.size).toBe(map.size);
        for (const one of ["a", "b", "c", "d", "e"]) expect([churning.has(one), churning.get(one)]).toEqual([map.has(one), map.get(one)]);
      }
    }),
  );
});

test("may lose entries while it is walked", () => {
  const map = new ChurningMap<number>();
  for (const [index, key] of ["a", "b", "c"].entries()) map.set(key, index);
  const seen: number[] = [];
  for (const value of map.values()) {
    seen.push(value);
    map.take("b");
  }
  expect(seen).toEqual([0, 2]);
});
