import { describe, expect, test } from "vitest";
import { completed, missingEntries, platformOf } from "./lockfile.mjs";

const lock = {
  packages: {
    "": {},
    "node_modules/tool": { version: "1.2.3", dev: true, optionalDependencies: { "@tool/darwin-arm64": "1.2.3", "@tool/linux-x64": "1.2.3" } },
    "node_modules/@tool/linux-x64": { version: "1.2.3", optional: true },
  },
};

describe("a lock file that npm left incomplete", () => {
  test("misses the platforms that the registry did not have", () => {
    expect(missingEntries(lock)).toEqual([["@tool/darwin-arm64", "1.2.3", true]]);
  });

  test("is completed with what npm needs to choose by platform, and nothing else changes", () => {
    const { packages } = completed(lock);
    expect(packages["node_modules/@tool/darwin-arm64"]).toEqual({ version: "1.2.3", os: ["darwin"], cpu: ["arm64"], dev: true, optional: true });
    expect(packages).toMatchObject(lock.packages);
    expect(missingEntries(completed(lock))).toEqual([]);
  });

  test.each([
    ["@biomejs/cli-linux-x64-musl", { os: ["linux"], cpu: ["x64"], libc: ["musl"] }],
    ["@bufbuild/buf-linux-armv7", { os: ["linux"], cpu: ["arm"] }],
    ["@biomejs/cli-win32-arm64", { os: ["win32"], cpu: ["arm64"] }],
  ])("%s tells its platform by its name", (name, platform) => {
    expect(platformOf(name)).toMatchObject(platform);
  });

  test("a name that tells nothing is refused rather than installed everywhere", () => {
    expect(() => platformOf("@tool/plugin")).toThrow("@tool/plugin");
  });
});
