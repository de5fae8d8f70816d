import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../repository.mjs";

const forbidden = [
  ["services/queue/src/owner", 'export { a } from "@runlane/scheduler";'],
  ["services/scheduler/src", 'export { a } from "@runlane/queue";'],
  ["services/executor/src", 'export { a } from "@runlane/sdk";'],
  ["services/platform/src", 'export { a } from "@runlane/queue";'],
  ["sdk-ts/src", 'export { a } from "@runlane/platform/gen/runlane/v1/run_pb.js";'],
  ["test", 'export { a } from "@runlane/platform";'],
  ["bench/src", 'export { a } from "@runlane/queue";'],
  ["testing-kit/src", 'export { a } from "@runlane/sdk/internal";'],
  ["services/server/src", 'export { a } from "@runlane/sdk/testing-seams";'],
  ["test", 'export { a } from "@runlane/sdk/testing-seams";'],
  ["services/queue/src/engine", 'export { readFile } from "node:fs/promises";'],
  ["services/queue/src/engine", 'export { refusal } from "@runlane/platform";'],
  ["services/queue/src/engine", 'export { Owner } from "../owner/owner.js";'],
  ["services/queue/src/engine", "export const now = Date.now();"],
  ["services/queue/src/engine", "export const luck = Math.random();"],
  ["services/queue/src/engine", "setTimeout(() => {}, 1);"],
];

const allowed = [
  ["services/queue/src/owner", 'export { a } from "@runlane/platform/gen/runlane/v1/run_pb.js";'],
  ["services/scheduler/src", 'export { a } from "@runlane/platform";'],
  ["services/server/src", 'export { a } from "@runlane/queue";'],
  ["test", 'export { task } from "@runlane/sdk";'],
  ["test", 'export { createTestPlatform } from "@runlane/sdk/testing";'],
  ["testing-kit/src", 'export { a } from "@runlane/sdk/testing-seams";'],
  ["testing-kit/src", 'export { a } from "@runlane/queue";'],
  ["services/queue/src/engine", 'export { create } from "@bufbuild/protobuf";'],
  ["services/queue/src/engine", 'export { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";'],
  ["services/queue/src/engine", 'export { apply } from "./apply.js";'],
  ["services/queue/src/engine", "export const most = Math.max(1, 2);"],
];

const cases = [...forbidden, ...allowed];
/** @param {string[]} one */
const fileOf = ([folder, line]) => `${folder}/case-${cases.findIndex((other) => other[0] === folder && other[1] === line)}.ts`;
const folder = mkdtempSync(join(tmpdir(), "runlane-lint-"));
/** What biome says of each file, by its path. @type {Map<string, string>} */
const complaints = new Map();

beforeAll(() => {
  for (const file of ["biome.json", "scripts/checks/no-random.grit"]) cpSync(join(root, file), join(folder, file));
  for (const [path, line] of cases.map((one) => [join(folder, fileOf(one)), one[1]])) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${line}\n`);
  }
  const { stdout } = spawnSync(join(root, "node_modules", ".bin", "biome"), ["lint", "--reporter=json", "--max-diagnostics=none"], {
    cwd: folder,
    encoding: "utf8",
  });
  for (const { location, category } of JSON.parse(stdout).diagnostics) complaints.set(location.path.file ?? location.path, category);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The rules stand in biome.json; an override that matches nothing would go unnoticed.
describe("rooms know each other by their contracts, and the engine is pure", () => {
  test.each(forbidden)("in %s this is refused: %s", (...one) => {
    expect(complaints.get(fileOf(one))).toMatch(/noRestrictedImports|noRestrictedGlobals|plugin/);
  });

  test.each(allowed)("in %s this is fine: %s", (...one) => {
    expect(complaints.get(fileOf(one))).toBeUndefined();
  });
});
