import { expect, test } from "vitest";
import { flatProperties, propertyText } from "./flat-properties.js";

const circle: Record<string, unknown> = { a: 1 };
circle.self = circle;
const broken = {
  get mine(): never {
    throw new Error("no");
  },
  other: 1,
};

test.each<[string, object, [string, unknown][]]>([
  [
    "what is inside is named by its path",
    { user: { name: "Ada", ids: [7, 8] } },
    [
      ["user.name", "Ada"],
      ["user.ids.[0]", 7],
      ["user.ids.[1]", 8],
    ],
  ],
  [
    "null and booleans stay",
    { a: null, b: false },
    [
      ["a", null],
      ["b", false],
    ],
  ],
  ["what is no value is left out", { a: undefined, b: () => 1, c: 1 }, [["c", 1]]],
  ["a date is its text", { at: new Date(0) }, [["at", "1970-01-01T00:00:00.000Z"]]],
  [
    "numbers of any size, and symbols, are texts",
    { a: 12n, b: Symbol("s") },
    [
      ["a", "12"],
      ["b", "Symbol(s)"],
    ],
  ],
  [
    "maps and sets are looked into",
    { m: new Map([["k", 1]]), s: new Set(["v"]) },
    [
      ["m.k", 1],
      ["s.[0]", "v"],
    ],
  ],
  [
    "a circle ends",
    circle,
    [
      ["a", 1],
      ["self", "(circular)"],
    ],
  ],
  ["what throws is left out", broken, [["other", 1]]],
  ["nothing is nothing", {}, []],
])("%s", (_, properties, flat) => {
  expect(flatProperties(properties)).toEqual(flat);
});

test("an error tells its name, message and stack", () => {
  expect(Object.fromEntries(flatProperties({ error: new RangeError("far") }))).toMatchObject({
    "error.name": "RangeError",
    "error.message": "far",
    "error.stack": expect.stringContaining("RangeError: far"),
  });
});

test("there are 256 at most", () => {
  expect(flatProperties(Array.from({ length: 1_000 }, (_, index) => index))).toHaveLength(256);
});

test("as text, values with spaces stand in quotes", () => {
  expect(propertyText({ a: "one", b: "two words", c: 3, d: 'a "b"', e: "x\ny" })).toBe(' a=one b="two words" c=3 d="a \\"b\\"" e="x\\ny"');
  expect(propertyText(undefined)).toBe("");
});
