import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { buildsFolder } from "./bundle.js";
import { SessionBuilds } from "./session-builds.js";

/** A process id that nothing has: beyond the greatest that Linux and macOS give out. */
const nobody = 2 ** 22 + 7;

test("builds that nobody runs any more go, and at the end all of them", () => {
  const folder = temporaryProject({});
  const builds = new SessionBuilds();
  const mine = builds.in(folder);
  for (const build of ["a", "b", "c"]) mkdirSync(join(mine, build));
  builds.keep(new Set([join(mine, "b")]));
  expect(readdirSync(mine)).toEqual(["b"]);
  builds.remove();
  expect(existsSync(mine)).toBe(false);
});

test("what a session left that was killed is removed by the next one; living sessions and other builds are left alone", () => {
  const folder = temporaryProject({});
  for (const name of [`session-${nobody}`, `session-${process.ppid}`, "0123abcd"]) mkdirSync(join(buildsFolder(folder), name), { recursive: true });
  new SessionBuilds().in(folder);
  expect(readdirSync(buildsFolder(folder)).sort()).toEqual(["0123abcd", `session-${process.pid}`, `session-${process.ppid}`].sort());
});
