import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonText } from "./json-text.js";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(strict.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

const encode = (text: string) => new TextEncoder().encode(text);
/** Pieces of which both right and wrong texts are made often. */
const piece = fc.constantFrom(
  ...'{}[],:" \n\t\r-+.eE0123456789\\/bfnrtuAaé\u0000\u007f',
  "true",
  "false",
  "null",
  "\\u00e9",
  "\\ud800",
  '"a"',
  "1e5",
  "-0",
  "01",
  "\u{feff}",
  "\u{1f600}",
);

describe("bytes are JSON if, and only if, JSON.parse takes them", () => {
  test("which it does if JSON.stringify made them", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        expect(isJsonText(encode(JSON.stringify(value, null, space)))).toBe(true);
      }),
    );
  });

  test("with one byte changed, added or left out", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.nat(255), fc.nat(2), (value, place, byte, removed) => {
        const text = encode(JSON.stringify(value));
        const at = place % text.length;
        const bytes = Uint8Array.from([...text.subarray(0, at), byte, ...text.subarray(at + removed)]);
        expect(isJsonText(bytes)).toBe(parses(bytes));
      }),
      { numRuns: 5_000 },
    );
  });

  test("of any pieces of JSON", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const bytes = encode(pieces.join(""));
        expect(isJsonText(bytes)).toBe(parses(bytes));
      }),
      { numRuns: 10_000 },
    );
  });

  test("of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5 }), (bytes) => {
        expect(isJsonText(bytes)).toBe(parses(bytes));
        const quoted = Uint8Array.of(0x22, ...bytes, 0x22);
        expect(isJsonText(quoted)).toBe(parses(quoted));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    "",
    " ",
    "1 2",
    "[1,]",
    '{"a":1,}',
    '{"a"}',
    "{,}",
    "[",
    "]",
    "[}",
    '"',
    '"\\',
    '"\\u12',
    "-",
    "1.",
    "1e",
    "1e+",
    ".5",
    "tru",
    "nulll",
    "[[[[1]]]]",
    ' {"a" : [ ] } ',
  ])("%j", (text) => {
    expect(isJsonText(encode(text))).toBe(parses(encode(text)));
  });
});

test.each([2_000, 50_000])("nesting has no limit: %i deep", (depth) => {
  expect(isJsonText(encode("[".repeat(depth) + "]".repeat(depth)))).toBe(true);
  expect(isJsonText(encode("[".repeat(depth)))).toBe(false);
});
