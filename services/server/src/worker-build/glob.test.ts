import { expect, test } from "vitest";
import { globExpression } from "./glob.js";

test.each([
  ["*.test.ts", "a/b/c.test.ts", true],
  ["*.test.ts", "a/b/c.test.tsx", false],
  ["**/*.{test,spec}.*", "c.spec.mts", true],
  ["**/*.{test,spec}.*", "a/contest.ts", false],
  ["**/__tests__/**", "a/__tests__/b/c.ts", true],
  ["src/*.ts", "src/a.ts", true],
  ["src/*.ts", "src/a/b.ts", false],
  ["./src/**", "src/a/b.ts", true],
  ["a?c.ts", "abc.ts", true],
  ["a+(b).ts", "a+(b).ts", true],
])("%s and %s: %s", (pattern, path, fits) => {
  expect(globExpression(pattern).test(path)).toBe(fits);
});
