import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { FakeWorkerService, failureOf, hex, outputOf } from "../testing/fake-worker-service.js";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** Starts the worker of docs/worker-protocol.md, as it stands there. */
function startWorker(service: FakeWorkerService): ChildProcess {
  const page = readFileSync(`${repository}docs/worker-protocol.md`, "utf8");
  const program = /```js\n(.*?)```/s.exec(page.slice(page.indexOf("## The smallest worker")))![1]!;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: repository,
    env: { ...process.env, RUNLANE_ADDRESS: service.address, RUNLANE_SECRET_KEY: "rl_dev_test" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("the worker that the documentation shows works", async () => {
  const service = new FakeWorkerService();
  await service.start();
  onTestFinished(() => service.stop());
  const worker = startWorker(service);
  expect(await service.hello()).toMatchObject({ protocolRevision: 1, slots: 1, tasks: [{ id: "shout" }] });

  const good = service.assign("shout", "quiet");
  expect(outputOf(await service.result(good))).toBe("QUIET");
  const bad = service.assign("shout", 7, { attemptNumber: 3 });
  expect(failureOf(await service.result(bad))).toMatchObject({ failure: { name: "TypeError" }, retryDelay: { seconds: 4n } });
  service.assign("unknown");
  await service.until(() => service.frames.some(({ frame }) => frame.declined.length === 1));

  service.givesReceipts = false;
  const unconfirmed = service.assign("shout", "held");
  const digest = Buffer.from(unconfirmed).readBigUInt64BE(unconfirmed.length - 8);
  await service.until(() => service.frames.some(({ frame }) => frame.heartbeat?.heldCount === 1 && frame.heartbeat.heldDigest === digest));
  service.send({ heartbeat: { sequence: 1n, listHeld: true } });
  await service.until(() => service.frames.some(({ frame }) => frame.heldList?.held.some((held) => hex(held.token) === hex(unconfirmed))));
  service.settle();
  service.send({ cancels: [{ token: good, reason: "" }] });
  await service.until(() => service.confirmed.includes(hex(good)));

  service.send({ helloAgain: true });
  await new Promise((resolve) => worker.once("exit", resolve));
});
