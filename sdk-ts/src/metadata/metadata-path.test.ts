import { describe, expect, test } from "vitest";
import { deleteAt, metadataPath, putAt, valueAt } from "./metadata-path.js";

describe("a key", () => {
  test.each<[string, (string | number)[]]>([
    ["progress", ["progress"]],
    ["a.b[0]", ["a.b[0]"]],
    ["", [""]],
    ["$", ["$"]],
    ["$.user.name", ["user", "name"]],
    ["$.list[3].id", ["list", 3, "id"]],
    [`$.a["b c"]['d.e']`, ["a", "b c", "d.e"]],
  ])("%s", (key, path) => {
    expect(metadataPath(key)).toEqual(path);
  });

  test.each(["__proto__", "constructor", "prototype", "$.", "$..a", "$.a.", "$.a[x]", "$.__proto__.x", "$.a.constructor", '$.a["__proto__"]', "$.a[10000]"])(
    "%s is refused",
    (key) => {
      expect(() => metadataPath(key)).toThrow(/^metadata: ".*" is (no path|not allowed)/);
    },
  );
});

test("a path sees what is there, and nothing that objects inherit", () => {
  const metadata = { a: { list: [1, { b: null }] } };
  expect(valueAt(metadata, ["a", "list", 1, "b"])).toBeNull();
  expect(valueAt(metadata, ["a", "list", "length"])).toBeUndefined();
  expect(valueAt(metadata, ["toString"])).toBeUndefined();
});

test("what is missing on the way is made, and what is in the way gives way", () => {
  const metadata = { a: 1, list: [7] };
  putAt(metadata, ["a", "b", 1, "c"], true);
  putAt(metadata, ["list", 2], 9);
  expect(metadata).toEqual({ a: { b: [null, { c: true }] }, list: [7, null, 9] });
  expect(() => putAt(metadata, ["list", "name"], 1)).toThrow(/a list has nothing else/);
});

test("deleting shortens lists, and leaves what is not there", () => {
  const metadata = { a: { b: 1 }, list: [1, 2, 3] };
  for (const path of [["a", "b"], ["a", "c", "d"], ["list", 0], ["list", 7], ["nothing"]]) deleteAt(metadata, path);
  expect(metadata).toEqual({ a: {}, list: [2, 3] });
});
