import fc from "fast-check";
import { expect, test } from "vitest";
import { OpenRuns } from "./open-runs.js";

const one = { name: "one" };
const two = { name: "two" };

test("a run may have several listeners, each once", () => {
  const open = new OpenRuns<object>();
  expect(open.add("r", one)).toBe(true);
  expect(open.add("r", one)).toBe(false);
  expect(open.add("r", two)).toBe(true);
  expect(open.add("r", two)).toBe(false);
  expect(open.all("r")).toEqual([one, two]);
  expect(open.remove("r", one)).toBe(false);
  expect(open.has("r", one)).toBe(false);
  expect(open.remove("r", two)).toBe(true);
  expect(open.size).toBe(0);
});

test("only runs that have been open for a whole period are old", () => {
  const open = new OpenRuns<object>();
  open.add("first", one);
  expect(open.nextOld(10)).toEqual([]);
  open.age();
  open.add("second", one);
  expect(open.nextOld(10)).toEqual(["first"]);
  open.age();
  expect(open.nextOld(10)).toEqual(["first", "second"]);
});

test("old runs are named in turn, however many are asked for at once", () => {
  const open = new OpenRuns<object>();
  for (let i = 0; i < 5; i++) open.add(`r${i}`, one);
  open.age();
  expect(open.nextOld(2)).toEqual(["r0", "r1"]);
  open.delete("r2");
  expect(open.nextOld(2)).toEqual(["r3", "r4"]);
  expect(open.nextOld(2)).toEqual([]);
  expect(open.nextOld(2)).toEqual(["r0", "r1"]);
});

test("the end of a listener names the runs that nobody wants any more", () => {
  const open = new OpenRuns<object>();
  open.add("mine", one);
  open.age();
  open.add("ours", one);
  open.add("ours", two);
  open.add("theirs", two);
  expect(open.removeAll(one)).toEqual(["mine"]);
  expect(open.ids().sort()).toEqual(["ours", "theirs"]);
});

test("it answers as a plain map of sets would, whatever happens", () => {
  const listeners = [one, two, { name: "three" }];
  const step = fc.record({
    kind: fc.constantFrom("add" as const, "remove" as const, "delete" as const, "age" as const, "sweep" as const),
    run: fc.integer({ min: 0, max: 5 }).map((n) => `r${n}`),
    listener: fc.constantFrom(...listeners),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const open = new OpenRuns<object>();
      const model = new Map<string, Set<object>>();
      for (const { kind, run, listener } of steps) {
        const known = model.get(run);
        if (kind === "add") {
          expect(open.add(run, listener)).toBe(!known?.has(listener));
          model.set(run, new Set([...(known ?? []), listener]));
        } else if (kind === "remove") {
          const last = known?.delete(listener) === true && known.size === 0;
          expect(open.remove(run, listener)).toBe(last);
          if (last) model.delete(run);
        } else if (kind === "delete") {
          open.delete(run);
          model.delete(run);
        } else if (kind === "age") open.age();
        else for (const id of open.nextOld(2)) expect(model.has(id)).toBe(true);
      }
      expect(open.size).toBe(model.size);
      for (const [run, set] of model) expect(new Set(open.all(run))).toEqual(set);
    }),
  );
});
