import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { findTaskFiles } from "./task-files.js";

const find = (folder: string, dirs?: string[], ignorePatterns?: string[]) =>
  findTaskFiles({ folder, dirs: dirs?.map((dir) => join(folder, dir)), ignorePatterns }).map((file) => relative(folder, file));

test("every folder named trigger has task files, wherever it lies among the sources", () => {
  const folder = temporaryProject({
    "trigger/a.ts": "",
    "packages/mail/trigger/deep/b.js": "",
    "packages/mail/src/c.ts": "",
    "node_modules/x/trigger/d.ts": "",
    "dist/trigger/a.js": "",
    ".cache/trigger/e.ts": "",
  });
  expect(find(folder)).toEqual(["packages/mail/trigger/deep/b.js", "trigger/a.ts"]);
});

test("folders and files that are named are taken as they are", () => {
  const folder = temporaryProject({ "jobs/a.ts": "", "jobs/notes.md": "", "jobs/types.d.ts": "", "one.mts": "", "trigger/b.ts": "" });
  expect(find(folder, ["jobs", "one.mts"])).toEqual(["jobs/a.ts", "one.mts"]);
});

test("tests are no task files, unless the config says otherwise", () => {
  const folder = temporaryProject({ "trigger/a.ts": "", "trigger/a.test.ts": "", "trigger/__tests__/b.ts": "", "trigger/old-c.ts": "" });
  expect(find(folder)).toEqual(["trigger/a.ts", "trigger/old-c.ts"]);
  expect(find(folder, undefined, ["old-*", "**/__tests__/**"])).toEqual(["trigger/a.test.ts", "trigger/a.ts"]);
});

test("init comes first, in the folders themselves", () => {
  const folder = temporaryProject({ "trigger/a.ts": "", "trigger/init.ts": "", "trigger/b/init.ts": "", "jobs/a.ts": "", "jobs/init.mts": "" });
  expect(find(folder)).toEqual(["trigger/init.ts", "trigger/a.ts", "trigger/b/init.ts"]);
  expect(find(folder, ["trigger", "jobs"])).toEqual(["jobs/init.mts", "trigger/init.ts", "jobs/a.ts", "trigger/a.ts", "trigger/b/init.ts"]);
});

test("no task files is an error that says where they were looked for", () => {
  const folder = temporaryProject({ "src/a.ts": "" });
  expect(() => find(folder)).toThrow(/no task files: .* has no folder named "trigger"/);
  expect(() => find(folder, ["missing"])).toThrow(/there is no folder .*missing/);
  expect(() => find(temporaryProject({ "jobs/readme.md": "" }), ["jobs"])).toThrow(/no task files in .*jobs/);
});
