import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findNatsBinary } from "./nats-binary.js";

let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "nats-binary-")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Puts a program there that says it is nats-server of some version. */
async function program(path: string, version: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  await chmod(file, 0o755);
  return file;
}

const find = (options: { path?: string; env?: NodeJS.ProcessEnv } = {}) =>
  findNatsBinary({ path: options.path, env: { PATH: join(folder, "bin"), HOME: join(folder, "home"), ...options.env }, from: join(folder, "a", "b") });

test("the path given wins over everything, then RUNLANE_NATS_SERVER, then PATH, then the copy of a checkout, then the user's", async () => {
  const users = await program(`home/.cache/runlane/nats-server/${process.platform}-${process.arch}/nats-server`, "2.15.0");
  expect(await find()).toBe(users);
  expect(await find({ env: { HOME: "", XDG_CACHE_HOME: join(folder, "home/.cache") } })).toBe(users);
  const cached = await program(`.cache/nats-server/${process.platform}-${process.arch}/nats-server`, "2.15.1");
  expect(await find()).toBe(cached);
  const onPath = await program("bin/nats-server", "2.14.4");
  expect(await find()).toBe(onPath);
  const named = await program("named", "2.14.5");
  expect(await find({ env: { RUNLANE_NATS_SERVER: named } })).toBe(named);
  const given = await program("given", "3.0.0");
  expect(await find({ path: given, env: { RUNLANE_NATS_SERVER: named } })).toBe(given);
});

test("one on PATH that is too old is passed over", async () => {
  await program("bin/nats-server", "2.10.29");
  const cached = await program(`a/.cache/nats-server/${process.platform}-${process.arch}/nats-server`, "2.15.1");
  expect(await find()).toBe(cached);
});

test("without any, the error says what was found and each way to get one", async () => {
  await program("bin/nats-server", "2.14.3");
  await expect(find()).rejects.toThrow(/version 2\.14\.3.*put one on PATH.*--nats-server or RUNLANE_NATS_SERVER.*home\/\.cache\/runlane\/nats-server/s);
});

test.each(["missing", "folder"])("a path that is given and of no use is an error, not passed over: %s", async (name) => {
  await mkdir(join(folder, "folder"));
  await expect(find({ path: join(folder, name) })).rejects.toThrow(`--nats-server ${join(folder, name)} cannot be used`);
});
