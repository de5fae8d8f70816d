import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runlane } from "./support/command-line.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll });
  new TestWorker(server, "tasks", { onCleanUp: afterAll });
});

/** Runs a command against the server. */
const run = (...args: string[]) => runlane(args, { env: server.env });

describe("runlane trigger", () => {
  test("prints the id of the run", async () => {
    const { code, stdout } = await run("trigger", "echo", '{"a":1}');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^run_\S+\n$/);
  });

  test("--wait prints what the run returned, and nothing else to standard output", async () => {
    expect(await run("trigger", "echo", '{"a":1}', "--wait")).toMatchObject({ code: 0, stdout: '{"a":1}\n' });
  });

  test("--wait --json prints the run as one line of JSON", async () => {
    const { code, stdout } = await run("trigger", "echo", "[1,2]", "--wait", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ taskId: "echo", state: "COMPLETED", output: [1, 2], attemptCount: 1 });
    expect(stdout.trim()).not.toContain("\n");
  });

  test("--wait exits with 1 if the run fails, and says why", async () => {
    const { code, stderr } = await run("trigger", "aborting", "--wait");
    expect(code).toBe(1);
    expect(stderr).toContain("no use");
  });

  test("exits with 2 if the payload is not JSON, before anything is sent", async () => {
    const { code, stderr } = await run("trigger", "echo", "{a:1}");
    expect(code).toBe(2);
    expect(stderr).toContain("not JSON");
  });

  test("exits with 1 if the task id is malformed", async () => {
    expect(await run("trigger", "no such task!")).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("runlane runs", () => {
  test("get shows where a run stands", async () => {
    const id = (await run("trigger", "nobody-has-this", "--json")).stdout;
    const { code, stdout } = await run("runs", "get", JSON.parse(id).id);
    expect(code).toBe(0);
    expect(stdout).toContain("PENDING_VERSION");
    expect(stdout).toContain("no worker has declared this task");
  });

  test("cancel cancels a run once; the second time it says that the run is final", async () => {
    const id = (await run("trigger", "nobody-has-this")).stdout.trim();
    expect(await run("runs", "cancel", id)).toMatchObject({ code: 0 });
    expect(JSON.parse((await run("runs", "get", id, "--json")).stdout)).toMatchObject({ id, state: "CANCELED" });
    expect((await run("runs", "cancel", id)).code).toBe(1);
  });

  test("a run that does not exist exits with 1", async () => {
    expect((await run("runs", "get", "run_nobody")).code).toBe(1);
  });
});

describe("without a server, or with a wrong key", () => {
  test("exits with 3", async () => {
    const away = await runlane(["runs", "get", "run_1"], { env: { RUNLANE_ADDRESS: "http://127.0.0.1:1", RUNLANE_SECRET_KEY: "rl_dev_x" } });
    expect(away).toMatchObject({ code: 3, stdout: "" });
    expect(away.stderr).toContain("127.0.0.1:1");
    expect(await runlane(["runs", "get", "run_1"], { env: { ...server.env, RUNLANE_SECRET_KEY: "rl_dev_wrong" } })).toMatchObject({ code: 3, stdout: "" });
  });
});

describe("runlane server", () => {
  test("mints a key that only its owner can read", () => {
    expect(server.secretKey).toMatch(/^rl_dev_\S{20,}$/);
    expect(statSync(join(server.data, "secret-key")).mode & 0o777).toBe(0o600);
  });

  test("adopts the key that the environment names", async () => {
    const adopted = await TestServer.start({ env: { RUNLANE_SECRET_KEY: "rl_dev_adopted_from_elsewhere" } });
    const { code } = await runlane(["trigger", "echo"], { env: { RUNLANE_ADDRESS: adopted.address, RUNLANE_SECRET_KEY: "rl_dev_adopted_from_elsewhere" } });
    expect(code).toBe(0);
  });

  test("exits with 4 and names the port if it is taken", async () => {
    const { host, port } = new URL(server.address);
    const { code, stderr } = await runlane(["server", "--data", temporaryFolder(), "--listen", host, "--http-listen", "127.0.0.1:0"]);
    expect(code).toBe(4);
    expect(stderr).toContain(port);
  });

  test("exits with 4 if another server uses the data folder", async () => {
    const { code, stderr } = await runlane(["server", "--data", server.data, "--listen", "127.0.0.1:0"]);
    expect(code).toBe(4);
    expect(stderr).toContain(String(server.program.pid));
  });

  test("stops on SIGTERM with exit code 0, and nats-server with it", async () => {
    const other = await TestServer.start();
    other.program.signal("SIGTERM");
    expect(await other.program.ended).toBe(0);
    expect(existsSync(join(other.data, "server.json"))).toBe(false);
  });
});

test("runlane worker exits with 4 if there are no task files", async () => {
  const { code, stderr } = await runlane(["worker", "."], { cwd: temporaryFolder(), env: server.env });
  expect(code).toBe(4);
  expect(stderr).not.toBe("");
});

test("an address that is none exits with 2, in words", async () => {
  const { code, stderr } = await runlane(["tasks"], { env: { ...server.env, RUNLANE_ADDRESS: "ftp://there" } });
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^runlane: "ftp:\/\/there" is not the address .*\n$/)]);
});

test("an unknown command exits with 2", async () => {
  expect((await run("dance")).code).toBe(2);
});
