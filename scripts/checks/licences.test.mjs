import { expect, test } from "vitest";
import { isPermissive, licences } from "./licences.mjs";

const lock = {
  packages: {
    app: { dependencies: { free: "1" } },
    "node_modules/free": { version: "1.0.0", license: "MIT", dependencies: { deep: "1" }, optionalDependencies: { native: "1" } },
    "node_modules/free/node_modules/deep": { version: "1.0.0", license: "AGPL-3.0" },
    "node_modules/deep": { version: "2.0.0", license: "ISC" },
    "node_modules/native": { version: "1.0.0" },
    "node_modules/tool": { version: "1.0.0", license: "GPL-3.0", dev: true },
  },
};

test("every package that comes along must be permissive, also what is installed on other platforms, and the copy that counts", () => {
  expect(licences(lock, ["app"])).toEqual(["deep 1.0.0 is under AGPL-3.0", "native 1.0.0 is under a licence that package-lock.json does not name"]);
});

test.each([
  ["MIT", true],
  ["(MIT OR GPL-3.0)", true],
  ["Apache-2.0 AND BSD-3-Clause", true],
  ["MIT AND GPL-3.0", false],
  ["SEE LICENSE IN LICENSE.md", false],
  [undefined, false],
])("%s: %s", (expression, expected) => {
  expect(isPermissive(expression)).toBe(expected);
});
