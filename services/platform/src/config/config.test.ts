import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identifyProcess } from "../nats/process-identity.js";
import { findDataFolder, openDataFolder } from "./data-folder.js";
import { formatListenAddress, localUrl, parseListenAddress } from "./listen-address.js";
import { readServerFile, removeServerFile, writeServerFile } from "./server-file.js";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "runlane-config-")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the address to listen on", () => {
  test.each([
    ["127.0.0.1:7400", { host: "127.0.0.1", port: 7400 }, "http://127.0.0.1:7400"],
    ["localhost:0", { host: "localhost", port: 0 }, "http://localhost:0"],
    ["[::1]:0", { host: "::1", port: 0 }, "http://[::1]:0"],
    [":7400", { host: "", port: 7400 }, "http://127.0.0.1:7400"],
    ["0.0.0.0:7400", { host: "0.0.0.0", port: 7400 }, "http://127.0.0.1:7400"],
    ["[::]:7400", { host: "::", port: 7400 }, "http://127.0.0.1:7400"],
    ["7400", { host: "127.0.0.1", port: 7400 }, "http://127.0.0.1:7400"],
  ])("%s", (text, address, url) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(localUrl(address)).toBe(url);
    if (text.includes(":")) expect(formatListenAddress(address)).toBe(text);
  });

  test.each(["", "host", "host:", "host:port", "::1:7400", "127.0.0.1:65536", "http://127.0.0.1:7400", "127.0.0.1:-1"])("is refused by name: %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(`"${text}" is no address to listen on`);
  });
});

describe("the data folder", () => {
  test("is the given one, seen from the working folder", async () => {
    expect(await findDataFolder("data", folder)).toBe(join(folder, "data"));
    expect(await findDataFolder("/elsewhere", folder)).toBe("/elsewhere");
  });

  test("is the nearest .runlane upward, if there is one", async () => {
    const deep = join(folder, "a", "b");
    await mkdir(deep, { recursive: true });
    await mkdir(join(folder, ".runlane"));
    expect(await findDataFolder(undefined, deep)).toBe(join(folder, ".runlane"));
    await mkdir(join(folder, "a", ".runlane"));
    expect(await findDataFolder(undefined, deep)).toBe(join(folder, "a", ".runlane"));
    await writeFile(join(deep, ".runlane"), "a file is no folder");
    expect(await findDataFolder(undefined, deep)).toBe(join(folder, "a", ".runlane"));
  });

  test("is .runlane in the working folder otherwise", async () => {
    expect(await findDataFolder(undefined, folder)).toBe(join(folder, ".runlane"));
  });

  test("is made for its owner alone, and keeps its node id", async () => {
    const path = join(folder, "new", ".runlane");
    const first = await openDataFolder(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(first.nodeId).toMatch(/^[0-9a-f]{16}$/);
    await first.release();
    const second = await openDataFolder(path);
    expect(second.nodeId).toBe(first.nodeId);
    await second.release();
    expect(await readdir(path)).toEqual(["node-id"]);
  });

  test("is refused while a living process holds it, by the process's id", async () => {
    const held = await openDataFolder(folder);
    await expect(openDataFolder(folder)).rejects.toThrow(`the data folder ${folder} is in use by process ${process.pid}`);
    await held.release();
    await (await openDataFolder(folder)).release();
  });

  test("is taken over from a dead process, and from a living one that only has its id", async () => {
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "exit");
    await writeFile(join(folder, "lock-dead"), JSON.stringify({ pid: dead.pid, startedAt: "1" }));
    const startedAt = `${(await identifyProcess(process.ppid))?.startedAt}0`;
    await writeFile(join(folder, "lock-reused"), JSON.stringify({ pid: process.ppid, startedAt }));
    const held = await openDataFolder(folder);
    expect((await readdir(folder)).filter((name) => name.startsWith("lock-"))).toHaveLength(1);
    await held.release();
  });

  test("with a node id that is none is refused, and not held", async () => {
    await writeFile(join(folder, "node-id"), "a.b\n");
    await expect(openDataFolder(folder)).rejects.toThrow(join(folder, "node-id"));
    await rm(join(folder, "node-id"));
    await (await openDataFolder(folder)).release();
  });
});

describe("the server file", () => {
  const file = { address: "http://127.0.0.1:7400", pid: 42, startedAt: "2026-11-23T10:00:00.000Z" };

  test("tells where the server is, to everybody, until it stops", async () => {
    expect(await readServerFile(folder)).toBeUndefined();
    await writeServerFile(folder, file);
    expect(await readServerFile(folder)).toEqual(file);
    expect((await stat(join(folder, "server.json"))).mode & 0o777).toBe(0o644);
    await removeServerFile(folder);
    await removeServerFile(folder);
    expect(await readServerFile(folder)).toBeUndefined();
  });

  test.each(["", "{", "null", "[]", '{"address":1}', '{"address":"http://x"}'])("that cannot be understood counts as none: %j", async (text) => {
    await writeFile(join(folder, "server.json"), text);
    expect(await readServerFile(folder)).toBeUndefined();
  });
});
