import { expect, test } from "vitest";
import { parseByteSize } from "./byte-size.js";
import { CommandFailure } from "./exit-code.js";

test.each([
  ["1000000", 1_000_000],
  ["500MB", 500_000_000],
  ["1.5 GiB", 1.5 * 2 ** 30],
  ["20gb", 20e9],
])("%s is %d bytes", (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(["", "0", "-1", "much", "5 XB", "1e3", "0.1"])("%j is no size", (text) => {
  expect(() => parseByteSize(text)).toThrow(CommandFailure);
});
