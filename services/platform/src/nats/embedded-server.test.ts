import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectNats } from "./connection.js";
import { type EmbeddedNats, startEmbeddedNats } from "./embedded-server.js";
import { natsServerBinary, silent } from "./nats.fixture.js";
import { identifyProcess } from "./process-identity.js";
import type { NatsSync } from "./server-config.js";
import { suspend } from "./suspend.fixture.js";
import type { NatsUser } from "./users.js";

let dataDir: string;
let running: EmbeddedNats[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "runlane-nats-"));
});
afterEach(async () => {
  await Promise.all(running.map((nats) => nats.stop()));
  running = [];
  await rm(dataDir, { recursive: true, force: true });
});

async function start(sync: NatsSync = "lazy"): Promise<EmbeddedNats> {
  const nats = await startEmbeddedNats({ binary: await natsServerBinary(), dataDir, sync, logger: silent });
  running.push(nats);
  return nats;
}

const connect = (nats: EmbeddedNats, user: NatsUser = "queue", password = nats.credentials[user].password, timeoutMs = 20_000) =>
  connectNats({ servers: nats.url, user, password, name: "test", logger: silent, timeoutMs });

const alive = async (pid: number | undefined) => pid !== undefined && (await identifyProcess(pid)) !== undefined;

test("starts on a free port with JetStream, and leaves no process and no lock behind", async () => {
  const nats = await start();
  const link = await connect(nats);
  expect(link.connection.info?.jetstream).toBe(true);
  await link.close();
  const { pid } = nats;
  expect(await alive(pid)).toBe(true);
  await nats.stop();
  await nats.exited;
  expect(await alive(pid)).toBe(false);
  expect((await readdir(join(dataDir, "nats"))).sort()).toEqual(["credentials.json", "jetstream", "nats-server.conf", "nats-server.log", "nats-server.out"]);
});

test("a program that is no nats-server is an error with its last words", async () => {
  await expect(startEmbeddedNats({ binary: "/nowhere/nats-server", dataDir, logger: silent })).rejects.toThrow(/did not start.*ENOENT/);
  await expect(startEmbeddedNats({ binary: "/bin/ls", dataDir, logger: silent })).rejects.toThrow(/did not start \(exit code/);
});

test("a data folder has one server at a time", async () => {
  await start();
  await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
});

test("`always` and `lazy` are what the configuration says of sync_interval; secrets are their owner's alone", async () => {
  const config = () => readFile(join(dataDir, "nats", "nats-server.conf"), "utf8");
  await (await start("always")).stop();
  expect(await config()).toContain("sync_interval: always");
  await (await start("lazy")).stop();
  expect(await config()).toContain('sync_interval: "2m"');
  for (const name of ["nats-server.conf", "credentials.json"]) expect((await stat(join(dataDir, "nats", name))).mode & 0o777).toBe(0o600);
});

test("passwords are minted once; nobody else gets in", async () => {
  const first = await start();
  await first.stop();
  const second = await start();
  expect(second.credentials).toEqual(first.credentials);
  expect(second.credentials.queue.password).not.toBe(second.credentials.executor.password);
  await expect(connect(second, "queue", "guess")).rejects.toThrow(/Authorization Violation/);
});

test("only owners publish to logs and use JetStream; nobody hears another's answers", async () => {
  const nats = await start();
  const refusals = async (user: NatsUser, publish: string[], subscribe: string[]) => {
    const link = await connect(nats, user);
    const refused: string[] = [];
    void (async () => {
      for await (const status of link.connection.status()) if (status.type === "error") refused.push(String(status.error.message));
    })();
    for (const subject of publish) link.connection.publish(subject, "x");
    for (const subject of subscribe) link.connection.subscribe(subject, { callback: () => {} });
    await link.connection.flush();
    // The answers are there; their listeners are called one after the other.
    await setImmediate();
    await link.close();
    return refused.map((message) => /"(\S+)"/.exec(message)?.[1]);
  };
  const forbidden = ["runlane.log.0", "$JS.API.STREAM.PURGE.RUNLANE_LOG_0", "$KV.RUNLANE_OWNERS.0", "_INBOX_LOG.x", "elsewhere"];
  for (const user of ["scheduler", "executor"] as const) {
    expect(await refusals(user, [...forbidden, "runlane.call.x", "_INBOX.queue.x"], ["runlane.call.>", `_INBOX.${user}.>`, "_INBOX.queue.>", ">"])).toEqual([
      ...forbidden,
      "_INBOX.queue.>",
      ">",
    ]);
  }
  expect(await refusals("queue", ["runlane.log.0", "$JS.API.INFO", "_INBOX_LOG.x", "elsewhere"], ["_INBOX_LOG.x", "runlane.log.0"])).toEqual([
    "_INBOX_LOG.x",
    "elsewhere",
    "runlane.log.0",
  ]);
});

test("killed, it is started again on the same port, and connections come back", async () => {
  const nats = await start();
  const link = await connect(nats);
  const events: string[] = [];
  link.watch((event) => events.push(event));
  for (let kills = 1; kills <= 3; kills++) {
    const { pid, url } = nats;
    process.kill(pid ?? 0, "SIGKILL");
    await expect.poll(() => events.length, { interval: 5, timeout: 30_000 }).toBe(2 * kills);
    expect(nats.url).toBe(url);
    expect(nats.pid).not.toBe(pid);
    await link.connection.flush();
  }
  expect(events).toEqual(["down", "up", "down", "up", "down", "up"]);
  await link.close();
});

test("stop wins over a start that is under way", async () => {
  const nats = await start();
  const link = await connect(nats);
  const lost = new Promise((resolve) => link.watch(resolve));
  process.kill(nats.pid ?? 0, "SIGKILL");
  await lost;
  await nats.stop();
  await expect(connect(nats, "queue", "any", 200)).rejects.toThrow(/cannot connect/);
  await link.close();
});

describe("an orphan", () => {
  /** What a killed server leaves behind: a nats-server without a parent, and a lock that counts for nothing. */
  async function orphan(sync: NatsSync): Promise<{ pid: number; url: string }> {
    const first = await start(sync);
    await first.stop();
    const folder = join(dataDir, "nats");
    await writeFile(join(folder, "lock-dead"), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: "1" }));
    const shell = spawn("/bin/sh", ["-c", '"$0" -c "$1" &', await natsServerBinary(), join(folder, "nats-server.conf")], { stdio: "ignore", detached: true });
    await once(shell, "exit");
    // It is there before it is written.
    return await vi.waitFor(async () => {
      const ports = (await readdir(folder)).find((name) => name.endsWith(".ports")) ?? expect.unreachable("not yet");
      const { nats } = JSON.parse(await readFile(join(folder, ports), "utf8")) as { nats: [string] };
      return { pid: Number(/\d+/.exec(ports)), url: nats[0] };
    });
  }

  test("is adopted if it is healthy, and then kept alive and stopped like a child", async () => {
    const { pid, url } = await orphan("lazy");
    const nats = await start("lazy");
    expect({ pid: nats.pid, url: nats.url }).toEqual({ pid, url });
    process.kill(pid, "SIGKILL");
    await expect.poll(async () => nats.pid !== pid && (await alive(nats.pid)), { interval: 20, timeout: 30_000 }).toBe(true);
    expect(nats.url).toBe(url);
    await (await connect(nats)).close();
    const { pid: second } = nats;
    await nats.stop();
    expect(await alive(second)).toBe(false);
  });

  test("of another sync mode is ended, its store kept", async () => {
    const { pid } = await orphan("lazy");
    const nats = await start("always");
    expect(nats.pid).not.toBe(pid);
    expect(await alive(pid)).toBe(false);
  });

  test("that hangs is ended by force", async () => {
    const { pid } = await orphan("lazy");
    await suspend(pid);
    const nats = await start("lazy");
    expect(nats.pid).not.toBe(pid);
    expect(await alive(pid)).toBe(false);
  });

  test("whose process id belongs to somebody else by now is nobody's business", async () => {
    await (await start()).stop();
    await writeFile(join(dataDir, "nats", "nats-server.pid"), String(process.pid));
    expect(await alive((await start()).pid)).toBe(true);
  });
});
