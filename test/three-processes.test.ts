import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { test } from "vitest";
import { runlane } from "./support/command-line.js";
import { eventually } from "./support/eventually.js";
import { suspend } from "./support/processes.js";
import { RunClient } from "./support/run-client.js";
import type { ServiceProcess } from "./support/service-process.js";
import { type OnCleanUp, TestServer } from "./support/test-server.js";
import type { ThreeProcesses } from "./support/three-processes.js";
import { RawWorker } from "./survival/raw-worker.js";

// They wait most of their time, and so side by side.
async function three(onCleanUp: OnCleanUp): Promise<{ processes: ThreeProcesses; server: TestServer; client: RunClient }> {
  const server = await TestServer.start({ shape: "three", onCleanUp });
  if (!server.three) throw new Error("these are not three processes");
  return { processes: server.three, server, client: new RunClient(server, onCleanUp) };
}

const saysReady = (process: ServiceProcess) => async () => (await process.readiness()).status === 200;

test.concurrent("each process says by itself whether it is ready, and why not", async ({ expect, onTestFinished }) => {
  const { processes } = await three(onTestFinished);
  const [scheduler, executor, queue] = [processes.service("scheduler"), processes.service("executor"), processes.service("queue")];
  await queue.program.stop();
  for (const process of [scheduler, executor]) {
    await eventually("it misses the owner", async () => (await process.readiness()).reasons === "owner: nobody owns partition 0\n");
    expect((await fetch(`${process.httpAddress}/livez`)).status).toBe(200);
  }
  await queue.again();
  for (const process of [scheduler, executor]) await eventually("it is ready again", saysReady(process));

  await processes.nats.program.kill();
  await eventually("it misses NATS", async () => (await scheduler.readiness()).reasons.includes("nats of scheduler: the connection to NATS is lost"));
  await processes.startNatsAgain();
  for (const process of [scheduler, executor]) await eventually("it is ready again", saysReady(process));
});

test.concurrent("every line that a process logs names its service; a process needs its own credentials, and no others", async ({ expect, onTestFinished }) => {
  const { processes } = await three(onTestFinished);
  for (const service of ["scheduler", "executor", "queue"] as const) {
    const lines = processes.service(service).program.stderr.trim().split("\n");
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ name: `runlane-${service}` });
    const file = join(processes.data, "nats-external", `${service}.json`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(Object.keys(JSON.parse(readFileSync(file, "utf8")))).toEqual(["user", "password"]);
  }
  const foreign = ["server", "--services", "queue", "--nats", processes.nats.url, "--nats-creds", join(processes.data, "nats-external", "executor.json")];
  const { code, stderr } = await runlane([...foreign, "--data", processes.data]);
  expect(code).toBe(4);
  expect(stderr).toContain("no credentials for queue; those given are for executor");
});

test.concurrent("a process that is told to stop once drains, and one that is told twice ends at once", async ({ expect, onTestFinished }) => {
  const { processes } = await three(onTestFinished);
  const queue = processes.service("queue");
  // While NATS hangs, a queue waits for its last append, and to give its claim up.
  const nats = processes.nats.pid;
  await suspend(nats);
  queue.program.signal("SIGTERM");
  await eventually("it drains", async () => (await queue.readiness()).reasons.includes("draining: the server is stopping"));
  // What comes within 300 ms of the first is the same wish.
  await sleep(400);
  expect(queue.program.running).toBe(true);
  queue.program.signal("SIGTERM");
  expect(await queue.program.ended).toBe(143);
  process.kill(nats, "SIGCONT");
});

test.concurrent("two schedulers and two executors share the work, and either does", async ({ expect, onTestFinished }) => {
  const { processes, server, client } = await three(onTestFinished);
  const [scheduler, executor] = await Promise.all([processes.replica("scheduler"), processes.replica("executor")]);
  await Promise.all([scheduler.ready(), executor.ready()]);
  const other = new RunClient({ address: scheduler.address, workerAddress: executor.address, secretKey: server.secretKey }, onTestFinished);
  const worker = new RawWorker(other.stranger, { workerId: "worker", tasks: ["shared"] });
  await worker.hello();
  // Triggered by one scheduler, awaited by the other, executed through the second executor.
  const [runId = ""] = await client.trigger({ taskId: "shared" });
  const awaited = other.triggerAndWait({ taskId: "shared" });
  await worker.report(await worker.take(runId), 1);
  await eventually("both know of the end", async () => {
    const runs = await Promise.all([client.run(runId), other.run(runId)]);
    return runs.every((run) => run.state === RunState.COMPLETED);
  });
  const second = await eventually("the other run is assigned", () => worker.assignments().find((assignment) => assignment.runId !== runId));
  worker.send({ accepted: [second.token] });
  await worker.report(second.token, 2);
  expect(await awaited).toMatchObject({ id: second.runId, state: RunState.COMPLETED });
});
