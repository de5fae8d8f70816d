import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ConnectError } from "@connectrpc/connect";
import { createLogger, PortTaken, reasonOf } from "@runlane/platform";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { createRunlaneClient, type RunlaneClient } from "@runlane/sdk/internal";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { RunningServer, WholeServerOptions } from "./server-options.js";
import { startServer } from "./start-server.js";

const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: process.env.RUNLANE_LOG_LEVEL ?? "silent" }, destination: process.stderr });
let natsServer: string;
let dataFolder: string;
let cleanUps: (() => Promise<unknown> | unknown)[];

beforeAll(async () => {
  const script = fileURLToPath(new URL("../../../scripts/nats-server.mjs", import.meta.url));
  natsServer = (await promisify(execFile)(process.execPath, [script])).stdout.trim();
}, 600_000);
beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), "runlane-server-"));
  cleanUps = [() => rm(dataFolder, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

async function start(options: Partial<WholeServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({ dataFolder, listen: "127.0.0.1:0", sync: "lazy", natsServer, logger, env: {}, graceMs: 50, ...options });
  cleanUps.push(() => server.stop());
  return server;
}

function client(server: RunningServer, secretKey = readFileSync(join(dataFolder, "secret-key"), "utf8").trim()): RunlaneClient {
  const made = createRunlaneClient({ baseURL: server.address, secretKey });
  cleanUps.push(() => made.close());
  return made;
}

const item = { taskId: "t", payload: { data: Buffer.from("1") } };

/** The nats-server of the data folder, if one lives. */
async function natsPids(): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,args="]);
  return stdout
    .split("\n")
    .filter((line) => line.includes(natsServer) && line.includes(dataFolder))
    .map((line) => Number.parseInt(line, 10));
}

test("serves, with a key of its own, says where in server.json, and stops without leaving anything behind", async () => {
  const server = await start();
  expect(statSync(join(dataFolder, "secret-key")).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(join(dataFolder, "server.json"), "utf8"))).toMatchObject({ address: server.address, pid: process.pid });
  const { runs } = client(server);
  const { outcomes } = await runs.triggerTasks({ requestId: "r", items: [item] });
  const { run } = await runs.getRun({ runId: String(outcomes[0]?.outcome.value) });
  expect(run).toMatchObject({ taskId: "t", state: RunState.PENDING_VERSION });
  expect(await natsPids()).toHaveLength(1);

  await Promise.all([server.stop(), server.stop()]);
  expect(existsSync(join(dataFolder, "server.json"))).toBe(false);
  expect(await natsPids()).toEqual([]);
  expect((await readdir(dataFolder)).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test("knows its runs and answered requests again after a restart", async () => {
  const first = await start();
  const { outcomes } = await client(first).runs.triggerTasks({ requestId: "r", items: [item] });
  await first.stop();
  const { runs } = client(await start());
  const repeated = await runs.triggerTasks({ requestId: "r", items: [item] });
  expect(repeated.outcomes[0]?.outcome.value).toBe(outcomes[0]?.outcome.value);
});

test("adopts a key, and refuses every other", async () => {
  const server = await start({ env: { RUNLANE_SECRET_KEY: "rl_dev_adopted" } });
  expect(await readFile(join(dataFolder, "secret-key"), "utf8")).toBe("rl_dev_adopted\n");
  await client(server, "rl_dev_adopted").runs.triggerTasks({ requestId: "r", items: [item] });
  const error = await client(server, "rl_dev_wrong").runs.getRun({ runId: "run_1" }).catch(ConnectError.from);
  expect(reasonOf(error)).toBe("INVALID_KEY");
});

test("a taken port is an error that names it; nothing is left running, and the data folder is free", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  cleanUps.push(() => void other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const failure = await start({ listen: `127.0.0.1:${port}` }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PortTaken);
  expect((failure as Error).message).toContain(String(port));
  expect(await natsPids()).toEqual([]);
  await start();
});

test("a data folder in use is an error that names the process", async () => {
  await start();
  await expect(start()).rejects.toThrow(`is in use by process ${process.pid}`);
});

test("a start that is given up leaves nothing running", async () => {
  const giveUp = new AbortController();
  const destination = { write: (line: string) => void (line.includes("nats-server runs") && giveUp.abort("SIGTERM")) };
  await expect(start({ signal: giveUp.signal, logger: createLogger({ name: "test", env: {}, destination }) })).rejects.toBe("SIGTERM");
  expect(giveUp.signal.aborted).toBe(true);
  expect(await natsPids()).toEqual([]);
});

test("a server that stops says so before it ends anything, and until its end", async () => {
  const server = await start({ graceMs: 2_000 });
  const { runs } = client(server);
  const changes = runs.triggerAndWait({ requestId: "r", item })[Symbol.asyncIterator]();
  await changes.next();
  const readiness = async () => {
    const response = await fetch(`${server.httpAddress}/readyz`);
    return [response.status, await response.text()];
  };
  expect(await readiness()).toEqual([200, "ok\n"]);
  const stopped = server.stop();
  expect(await readiness()).toEqual([503, "draining: the server is stopping\n"]);
  // The stream would go on for ever.
  expect(reasonOf(await changes.next().catch((error: unknown) => error))).toBe("DRAINING");
  await stopped;
  await expect(readiness()).rejects.toThrow();
});

test("a nats-server that dies is started again; clients notice a delay, no more", async () => {
  const { runs } = client(await start());
  const before = await runs.triggerTasks({ requestId: "a", items: [item] });
  const [pid] = await natsPids();
  process.kill(pid!, "SIGKILL");
  const after = await runs.triggerTasks({ requestId: "b", items: [item] });
  expect(after.outcomes[0]?.outcome.case).toBe("runId");
  expect((await runs.getRun({ runId: String(before.outcomes[0]?.outcome.value) })).run?.taskId).toBe("t");
});
