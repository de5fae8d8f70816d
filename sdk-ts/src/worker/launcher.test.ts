import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { refusalStatus } from "../testing/fake-server.js";
import { FakeWorkerService, hex, outputOf } from "../testing/fake-worker-service.js";
import { isAlive, temporaryFolder, writeManifest } from "../testing/test-worker.js";

// A launcher in a process of its own, as the command starts it.
const program = `
  import { launchWorker } from ${JSON.stringify(fileURLToPath(new URL("../../dist/worker/index.js", import.meta.url)))};
  const worker = launchWorker(JSON.parse(process.argv[1]));
  process.on("SIGTERM", () => worker.stop());
  process.exit(await worker.exited);
`;

const launched: ChildProcess[] = [];
afterEach(() => {
  for (const child of launched.splice(0)) child.kill("SIGKILL");
});

interface Launched {
  service: FakeWorkerService;
  launcher: ChildProcess;
  ended: Promise<number | null>;
}

async function launch(options: object = {}): Promise<Launched> {
  const service = new FakeWorkerService();
  await service.start();
  onTestFinished(() => service.stop());
  const settings = { manifestFile: writeManifest(temporaryFolder()), sharedRunners: 1, ...options };
  const launcher = spawn(process.execPath, ["--input-type=module", "-e", program, JSON.stringify(settings)], {
    env: { ...process.env, RUNLANE_ADDRESS: service.address, RUNLANE_SECRET_KEY: "rl_dev_test" },
    stdio: "ignore",
  });
  launched.push(launcher);
  return { service, launcher, ended: new Promise((resolve) => launcher.once("exit", resolve)) };
}

/** Runs an attempt and says where: its runner and the runner's parent, the supervisor. */
async function pids(service: FakeWorkerService): Promise<{ runner: number; supervisor: number }> {
  const runner = Number(outputOf(await service.result(service.assign("pid"))));
  return { runner, supervisor: Number(outputOf(await service.result(service.assign("parent-pid")))) };
}

test("a supervisor that is killed is started again at once, and nothing of the older one is left", async () => {
  const { service } = await launch();
  await service.hello();
  const before = await pids(service);
  const token = service.assign("patient");
  await service.until(() => service.accepted.includes(hex(token)));
  const killedAt = performance.now();
  process.kill(before.supervisor, "SIGKILL");
  const hello = await service.hello(2);
  const back = performance.now() - killedAt;
  expect(hello).toMatchObject({ workerId: service.hellos[0]!.workerId, incarnation: 2n, held: [] });
  // Long before its lease of 10 s; how soon is judged among the tests of survival, which have the machine to themselves.
  expect(back).toBeLessThan(8_000);
  await service.until(() => !isAlive(before.runner));
  service.sessionId = "session_2";
  await service.result(service.assign("echo", 1));
});

test("a launcher that is killed leaves nothing behind, even if user code blocks its process", async () => {
  const { service, launcher } = await launch();
  await service.hello();
  const { runner, supervisor } = await pids(service);
  service.assign("blocks", { milliseconds: 60_000 });
  launcher.kill("SIGKILL");
  await service.until(() => !isAlive(supervisor) && !isAlive(runner));
});

test("a runner whose supervisor alone is gone ends too, even if user code blocks it", async () => {
  const { service, launcher } = await launch();
  await service.hello();
  const { runner, supervisor } = await pids(service);
  service.assign("blocks", { milliseconds: 60_000 });
  // A launcher that is stopped kills no group.
  launcher.kill("SIGSTOP");
  process.kill(supervisor, "SIGKILL");
  await service.until(() => !isAlive(runner));
});

test("SIGTERM lets attempts finish, and ends with exit code 0", async () => {
  const { service, launcher, ended } = await launch();
  await service.hello();
  await pids(service);
  const token = service.assign("sleeps", { milliseconds: 300 });
  await service.until(() => service.accepted.includes(hex(token)));
  launcher.kill("SIGTERM");
  expect(outputOf(await service.result(token))).toBe("slept");
  expect(await ended).toBe(0);
});

test("a second SIGTERM ends it at once", async () => {
  const { service, launcher, ended } = await launch();
  await service.hello();
  const { runner, supervisor } = await pids(service);
  const token = service.assign("patient");
  await service.until(() => service.accepted.includes(hex(token)));
  launcher.kill("SIGTERM");
  await service.until(() => service.frames.some(({ frame }) => frame.drain));
  launcher.kill("SIGTERM");
  await ended;
  await service.until(() => !isAlive(supervisor) && !isAlive(runner));
});

test("a server that refuses the worker ends it, with exit code 1", async () => {
  const { service, ended } = await launch();
  service.onFrame = (_, call) => {
    call.end(refusalStatus(Code.Unauthenticated, "the key is not one of this server's", "INVALID_KEY"));
    return true;
  };
  expect(await ended).toBe(1);
});
