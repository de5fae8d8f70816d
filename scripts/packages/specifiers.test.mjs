import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { importFaults, roomSpecifiers } from "./specifiers.mjs";

const resolve = roomSpecifiers(
  new Map([
    ["services/platform", "rooms/platform"],
    ["services/queue", "rooms/queue"],
  ]),
);

const importing = (specifier) => `import { x } from "${specifier}";\n`;

test.each([
  ["@runlane/queue", "dist/cli/program.js", "../../rooms/queue/dist/index.js"],
  ["@runlane/platform/gen/runlane/v1/run_pb.js", "dist/main.js", "../rooms/platform/gen/runlane/v1/run_pb.js"],
  ["@runlane/platform", "rooms/queue/dist/owner/owner.d.ts", "../../../platform/dist/index.js"],
])("a room is imported by a relative path: %s in %s", (room, file, path) => {
  expect(resolve(importing(room), file)).toBe(importing(path));
  expect(resolve(`type X = import("${room}").X;`, file)).toBe(`type X = import("${path}").X;`);
});

test("contracts are those of the room that imports them, or of the package", () => {
  const contract = importing("#gen/runlane/v1/run_pb.js");
  expect(resolve(contract, "rooms/platform/dist/wire/run.js")).toBe(importing("../../gen/runlane/v1/run_pb.js"));
  expect(resolve(contract, "dist/index.js")).toBe(importing("../gen/runlane/v1/run_pb.js"));
});

test("other names stay, and what a room does not export is an error", () => {
  const code = 'import { task } from "@runlane/sdk";\nimport pino from "pino";';
  expect(resolve(code, "dist/main.js")).toBe(code);
  expect(() => resolve('import "@runlane/queue/src/owner.js"', "dist/main.js")).toThrow("@runlane/queue exports no ./src/owner.js");
});

test("a file may import what is there, Node's modules and what the package depends on; by a call what only some projects have", () => {
  const folder = mkdtempSync(join(tmpdir(), "runlane-specifiers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "there.js"), "");
  const text = [
    'import "./there.js";',
    'import { a } from "./away.js";',
    'import { join } from "node:path";',
    'export * from "@scope/wanted/deep";',
    'export { b } from "unwanted";',
    'type C = import("also-unwanted").C;',
    'import { d } from "peer";',
    'const { e } = await import("peer/deep");',
    'import "#gen/run_pb.js";',
    'export const noImport = "text";',
  ].join("\n");
  const faults = importFaults({
    folder,
    file: "main.js",
    text,
    manifest: { name: "app", dependencies: { "@scope/wanted": "1" }, peerDependencies: { peer: "1" } },
  });
  expect(faults.map((fault) => / imports (.*),/.exec(fault)?.[1])).toEqual(["./away.js", "unwanted", "also-unwanted", "peer", "#gen/run_pb.js"]);
});
