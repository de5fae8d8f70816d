import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runlane } from "../testing/command-double.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runlane-command-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("runlane server", () => {
  test.each([
    [["--services", "queue"], "--services needs --nats"],
    [["--nats-creds", "queue.json"], "--nats-creds needs --nats"],
    [["--nats-replicas", "3"], "--nats-replicas needs --nats"],
    [["--nats", "nats://127.0.0.1:1"], "--nats needs --nats-creds"],
    [["--nats", "nats://127.0.0.1:1", "--nats-creds", "x", "--services", "queue,worker"], 'there is no service "worker"'],
    [["--nats", "nats://127.0.0.1:1", "--nats-creds", "x", "--nats-server", "y"], "--nats-server is for a nats-server that this process starts"],
    [["--nats", "nats://127.0.0.1:1", "--nats-creds", "x", "--store-limit", "1GB"], "--store-limit is for a nats-server that this process starts"],
    [["--nats", "nats://127.0.0.1:1", "--nats-creds", "x", "--nats-replicas", "2"], "--nats-replicas is 1, 3 or 5, not 2"],
    [["--http-listen", "nowhere"], '"nowhere" is no address to listen on'],
  ])("%j is a wrong command line", async (args, words) => {
    const { code, stderr } = await runlane(["server", "--data", folder, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(await readdir(folder)).toEqual([]);
  });

  test("without a secret key, a scheduler says where one may be put, and does not start", async () => {
    const creds = join(folder, "scheduler.json");
    await writeFile(creds, '{"user":"scheduler","password":"x"}');
    const args = ["server", "--services", "scheduler", "--nats", "nats://127.0.0.1:1", "--nats-creds", creds, "--data", join(folder, "data")];
    const { code, stderr } = await runlane([...args, "--listen", "127.0.0.1:0"]);
    expect(code).toBe(4);
    expect(stderr).toContain("set RUNLANE_SECRET_KEY");
  });
});

describe("runlane nats-config", () => {
  test("writes what nats-server and each service need, and mints what they share", async () => {
    const { code, stdout } = await runlane(["nats-config", "--json", "--data", folder, "--listen", ":4333"]);
    expect(code).toBe(0);
    const { config, credentials } = JSON.parse(stdout);
    expect(Object.keys(credentials).sort()).toEqual(["executor", "queue", "scheduler"]);
    expect(await readFile(config, "utf8")).toContain('listen: "0.0.0.0:4333"');
    expect((await readFile(join(folder, "secret-key"), "utf8")).trim()).toMatch(/^rl_dev_/);
    expect((await runlane(["nats-config", "--json", "--data", folder, "--listen", ":4333"])).stdout).toBe(stdout);
  });

  test("says how to go on", async () => {
    const { stdout, stderr } = await runlane(["nats-config", "--data", folder]);
    expect(stdout.split("\n")).toHaveLength(4);
    expect(stdout).toContain("runlane server --services queue --nats nats://HOST:PORT --nats-creds ");
    expect(stderr).toContain("RUNLANE_SECRET_KEY");
  });

  test("refuses an address that is none", async () => {
    expect(await runlane(["nats-config", "--data", folder, "--listen", "here"])).toMatchObject({ code: 2 });
  });
});
