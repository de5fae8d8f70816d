import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockFolder } from "./folder-lock.js";
import { identifyProcess } from "./process-identity.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runlane-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a folder has one holder at a time", async () => {
  const first = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
  await first.release();
  const second = await lockFolder(folder);
  await second.release();
  expect(await readdir(folder)).toEqual([]);
});

test("of many that try at once, one gets it, a stale lock or not", async () => {
  await writeFile(join(folder, "lock-0"), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: "1" }));
  const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
  expect(tries.filter((attempt) => attempt.status === "fulfilled")).toHaveLength(1);
  expect(await readdir(folder)).toEqual([expect.stringMatching(/^lock-/)]);
});

test("the lock of a killed process counts for nothing, that of a living one does", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await once(child, "spawn");
  const { startedAt } = (await identifyProcess(child.pid ?? 0)) ?? {};
  await writeFile(join(folder, "lock-0"), JSON.stringify({ pid: child.pid, startedAt }));
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${child.pid}`);
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await lockFolder(folder)).release();
});

test("a lock whose process id belongs to another process by now counts for nothing, nor does a torn one", async () => {
  await writeFile(join(folder, "lock-0"), JSON.stringify({ pid: process.pid, startedAt: "long ago" }));
  await (await lockFolder(folder)).release();
  await writeFile(join(folder, "lock-0"), "{");
  await (await lockFolder(folder)).release();
});
