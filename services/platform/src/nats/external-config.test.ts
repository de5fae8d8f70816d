import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readNatsCredentials } from "./credentials-file.js";
import { writeExternalNats } from "./external-config.js";
import { natsServerBinary } from "./nats.fixture.js";
import { natsUsers } from "./users.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runlane-external-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the files for a nats-server that others run", () => {
  test("nats-server takes the configuration; it fsyncs before it acknowledges, and lets in three users and nobody else", async () => {
    const { config } = await writeExternalNats({ dataFolder: folder, listen: "127.0.0.1:4222", monitor: "127.0.0.1:8222", storeFolder: "/data" });
    await promisify(execFile)(await natsServerBinary(), ["-t", "-c", config]);
    const text = await readFile(config, "utf8");
    expect(text).toContain("sync_interval: always");
    expect(text).toContain('store_dir: "/data"');
    expect(text).toContain('http: "127.0.0.1:8222"');
    expect([...text.matchAll(/user: "(\w+)"/g)].map(([, user]) => user)).toEqual([...natsUsers]);
    expect(text).not.toContain("no_auth_user");
  });

  test("are their owner's alone, and the same every time", async () => {
    const first = await writeExternalNats({ dataFolder: folder, listen: "127.0.0.1:4222" });
    const paths = [first.config, ...Object.values(first.credentials)];
    for (const path of paths) expect((await stat(path)).mode & 0o777).toBe(0o600);
    const texts = await Promise.all(paths.map((path) => readFile(path, "utf8")));
    const elsewhere = join(folder, "elsewhere");
    const second = await writeExternalNats({
      dataFolder: folder,
      out: elsewhere,
      storeFolder: join(folder, "nats-external", "jetstream"),
      listen: "127.0.0.1:4222",
    });
    expect(await Promise.all([second.config, ...Object.values(second.credentials)].map((path) => readFile(path, "utf8")))).toEqual(texts);
  });

  test("each service's file is for that service", async () => {
    const { credentials } = await writeExternalNats({ dataFolder: folder, listen: "127.0.0.1:4222" });
    for (const user of natsUsers) expect((await readNatsCredentials([credentials[user]], [user]))[user].user).toBe(user);
    const all = await readNatsCredentials(Object.values(credentials), natsUsers);
    expect(new Set(natsUsers.map((user) => "password" in all[user] && all[user].password)).size).toBe(3);
  });
});

describe("credentials", () => {
  const file = async (text: string) => {
    const path = join(folder, "given");
    await writeFile(path, text);
    return path;
  };
  const jwt = "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n";

  test("of all users may stand in one file, as an embedded nats-server has them", async () => {
    const users = Object.fromEntries(natsUsers.map((user) => [user, { user, password: `of ${user}` }]));
    const path = await file(JSON.stringify(users));
    expect(await readNatsCredentials([path], ["queue", "executor"])).toEqual({ queue: users.queue, executor: users.executor });
  });

  test("may be a .creds file of NATS: of the only service, or of the one that is named", async () => {
    const path = await file(jwt);
    expect(await readNatsCredentials([path], ["queue"])).toEqual({ queue: { user: "queue", creds: jwt } });
    expect(await readNatsCredentials([`queue=${path}`, `executor=${path}`], ["queue", "executor"])).toEqual({
      queue: { user: "queue", creds: jwt },
      executor: { user: "executor", creds: jwt },
    });
    await expect(readNatsCredentials([path], ["queue", "executor"])).rejects.toThrow("does not say which service it is for");
  });

  test.each([
    ["", "holds no credentials"],
    ["{}", "holds no credentials"],
    ['{"user":"root","password":"x"}', "holds no credentials"],
    ['{"user":"queue","password":""}', "holds no credentials"],
    ['{"user":"executor","password":"x"}', "no credentials for queue; those given are for executor"],
  ])("that are none are refused: %s", async (text, words) => {
    await expect(readNatsCredentials([await file(text)], ["queue"])).rejects.toThrow(words);
  });

  test("of another service than the one named are refused; so is a file that is not there", async () => {
    const path = await file('{"user":"executor","password":"x"}');
    await expect(readNatsCredentials([`queue=${path}`], ["queue"])).rejects.toThrow("the file is for executor");
    await expect(readNatsCredentials([join(folder, "none")], ["queue"])).rejects.toThrow("cannot be read");
    await expect(readNatsCredentials([], ["queue"])).rejects.toThrow("no credentials for queue");
  });
});
