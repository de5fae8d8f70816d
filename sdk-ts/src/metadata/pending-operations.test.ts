import fc from "fast-check";
import { expect, test } from "vitest";
import { applyOperation, type MetadataOperation } from "./metadata-operation.js";
import type { MetadataValue, RunMetadata } from "./metadata-value.js";
import { PendingOperations } from "./pending-operations.js";

const collapsed = (...operations: MetadataOperation[]) => {
  const pending = new PendingOperations();
  for (const operation of operations) pending.add(operation);
  return pending.take();
};
const set = (key: string, value: MetadataValue): MetadataOperation => ({ type: "set", key, value });
const increment = (key: string, value: number): MetadataOperation => ({ type: "increment", key, value });
const append = (key: string, value: MetadataValue): MetadataOperation => ({ type: "append", key, value });

test.each<[string, MetadataOperation[], MetadataOperation[]]>([
  ["increments of a key become one", [increment("a", 1), increment("b", 1), increment("a", 2)], [increment("a", 3), increment("b", 1)]],
  ["the last value of a key stays", [set("a", 1), set("b", 1), set("a", 2)], [set("a", 2), set("b", 1)]],
  ["a value ends what was before", [increment("a", 1), append("a", 2), set("a", 3)], [set("a", 3)]],
  ["deleting, too", [set("a", 1), { type: "delete", key: "a" }], [{ type: "delete", key: "a" }]],
  ["what comes after a value stays behind it", [set("a", 1), increment("a", 1), increment("a", 1)], [set("a", 1), increment("a", 2)]],
  ["what is added to a list stays apart", [append("a", 1), append("a", 2)], [append("a", 1), append("a", 2)]],
  ["increments of a path become one", [increment("$.a.b", 1), increment("$.a.b", 1), increment("$.a.c", 1)], [increment("$.a.b", 2), increment("$.a.c", 1)]],
  ["replacing ends everything before", [set("a", 1), { type: "replace", value: { b: 1 } }, set("c", 1)], [{ type: "replace", value: { b: 1 } }, set("c", 1)]],
])("%s", (_, operations, left) => {
  expect(collapsed(...operations)).toEqual(left);
});

const key = fc.constantFrom("a", "b", "$.a.x", "$.a.y", "$.b.x", "$.c[0]");
const value = fc.constantFrom<MetadataValue[]>(1, "one", null, [1], { x: 1 }, { x: { y: 2 } });
const operation: fc.Arbitrary<MetadataOperation> = fc.oneof(
  fc.record({ type: fc.constantFrom("set" as const, "append" as const, "remove" as const), key, value }),
  fc.record({ type: fc.constant("delete" as const), key }),
  fc.record({ type: fc.constant("increment" as const), key, value: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ type: fc.constant("replace" as const), value: fc.constantFrom<RunMetadata[]>({}, { a: 5 }, { b: [1, 1] }) }),
);

test("what is left has the effect of all of it", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
      // A name in a list is refused, whoever gives it; that is no matter of what is left.
      let whole: RunMetadata;
      try {
        whole = operations.reduce(applyOperation, { b: 1, c: [2, 1] });
      } catch {
        return;
      }
      expect(collapsed(...operations).reduce(applyOperation, { b: 1, c: [2, 1] })).toEqual(whole);
    }),
    { numRuns: 2_000 },
  );
});
