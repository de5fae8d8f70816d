import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { ResultDisposition } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { test } from "vitest";
import { eventually } from "../support/eventually.js";
import { inTime } from "../support/in-time.js";
import { jsonPayload, jsonValue } from "../support/json-payload.js";
import { descendants } from "../support/processes.js";
import { RunClient } from "../support/run-client.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { type OnCleanUp, shapes, TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";
import { Beats } from "./beats.js";
import { mostAtOnce } from "./lines.js";
import { RawWorker } from "./raw-worker.js";

// Workers that fall silent, for less than a lease or for longer. These tests wait most of their time, and so side by side, the longest first.

/** How long a server waits for a worker that is silent, and how much later its runs have started elsewhere, in milliseconds, on a busy machine. */
const [leaseMs, moreMs] = [10_000, 1_500];
/** How long a claim of a partition holds that nobody renews, and how much later another queue may serve, in milliseconds, on a busy machine. */
const [claimMs, claimMoreMs] = [15_000, 5_000];
/** From the first word to a queue that it must stop until another has answered a caller, on a busy machine. */
const handOverMs = 5_000;
const { RECORDED, STALE } = ResultDisposition;

/** A server, a client, and a worker behind a network that may fail. */
async function prepare(onTestFinished: OnCleanUp) {
  const server = await TestServer.start({ onCleanUp: onTestFinished });
  const network = await TcpProxy.start(server.workerAddress, onTestFinished);
  const client = new RunClient(server, onTestFinished);
  const beats = new Beats(temporaryFolder(onTestFinished));
  const worker = new TestWorker(server, "survival", { concurrency: 20, env: { RUNLANE_WORKER_ADDRESS: network.address }, onCleanUp: onTestFinished });
  return { server, network, client, beats, worker };
}

const pause = (milliseconds: number) => new Promise((wake) => setTimeout(wake, milliseconds));

test.concurrent.for(shapes)(
  "in shape %s, a worker that is killed whole, launcher and all: its runs start elsewhere after a lease",
  async (shape, { expect, onTestFinished }) => {
    const lossOfWorker = async () => {
      const server = await TestServer.start({ shape, onCleanUp: onTestFinished });
      const client = new RunClient(server, onTestFinished);
      const beats = new Beats(temporaryFolder(onTestFinished));
      const count = 10;
      // Full with these runs, so that the other worker gets the next.
      const worker = new TestWorker(server, "survival", { concurrency: count, onCleanUp: onTestFinished });
      const runIds = await client.trigger(...Array.from({ length: count }, (_, i) => beats.item("beating", `b${i}`)));
      await beats.started(count);
      new TestWorker(server, "survival", { concurrency: 50, onCleanUp: onTestFinished });
      await client.trigger(beats.item("beating", "next"));
      await beats.started(count + 1);

      const family = [worker.program.pid, ...descendants(worker.program.pid)];
      const killedAt = Date.now();
      for (const pid of family) process.kill(pid, "SIGKILL");
      const again = await beats.started(count, 2);
      const took = again.map(({ at }) => at - killedAt);
      process.stdout.write(`worker killed whole: its runs started elsewhere after ${Math.min(...took)} to ${Math.max(...took)} ms\n`);
      expect(again.map((entry) => entry.runId).sort()).toEqual([...runIds].sort());

      beats.openGate();
      await beats.ended(count + 1);
      for (const runId of runIds) {
        await eventually("the run is completed", async () => (await client.run(runId)).state === RunState.COMPLETED);
        expect((await client.run(runId)).attemptCount).toBe(2);
      }
      return Math.max(...took);
    };
    expect(await inTime(leaseMs + moreMs, lossOfWorker)).toBeLessThanOrEqual(leaseMs + moreMs);
  },
);

test.concurrent("a worker that was silent for its lease reports a result: it is STALE, and changes nothing", async ({ expect, onTestFinished }) => {
  const server = await TestServer.start({ onCleanUp: onTestFinished });
  const client = new RunClient(server, onTestFinished);
  const [silent, other] = [1, 2].map((n) => new RawWorker(client.stranger, { workerId: `worker-${n}`, tasks: ["once"] }));
  if (!silent || !other) throw new Error("no workers");
  const welcome = await silent.hello();
  expect(Number(welcome.leaseDuration?.seconds)).toBe(leaseMs / 1_000);
  const [runId = ""] = await client.trigger({ taskId: "once" });
  const old = await silent.take(runId);
  await other.hello();
  const alive = setInterval(() => other.heartbeat(), 1_000);
  onTestFinished(() => clearInterval(alive));

  const token = await other.take(runId, leaseMs + 5_000);
  expect(await other.report(token, "of the other")).toBe(RECORDED);
  // As late as can be: the run has ended. First as if nothing had happened, then as the server asks it to.
  silent.send({ results: [{ token: old, outcome: { case: "output", value: jsonPayload("of the silent one") } }] });
  await eventually("the silent worker is asked what it holds", () => silent.stream.received.some((frame) => frame.helloAgain));
  await silent.hello([old]);
  await eventually("it hears that the attempt is lost", () => silent.hasLost(old));
  expect(await silent.report(old, "of the silent one")).toBe(STALE);
  const run = await client.run(runId);
  expect(run).toMatchObject({ state: RunState.COMPLETED, attemptCount: 2 });
  expect(jsonValue(run.output)).toBe("of the other");
});

test.concurrent("a worker that is away longer than its lease ends its attempts before another starts them", async ({ expect, onTestFinished }) => {
  const absence = async () => {
    const { server, network, client, beats } = await prepare(onTestFinished);
    const items = [beats.item("beating-alone", "alone"), beats.item("beating-alone", "next"), beats.item("beating", "b0"), beats.item("beating", "b1")];
    const runIds = await client.trigger(...items);
    const [first] = await beats.started(3);
    // The heir: it waits, because what there is to do is done by the other.
    new TestWorker(server, "survival", { concurrency: 20, onCleanUp: onTestFinished });
    const probe = new Beats(temporaryFolder(onTestFinished));
    probe.openGate();
    await eventually("the other worker executes something", async () => {
      await client.trigger(probe.item("beating", "probe"));
      return probe.entries().some((entry) => entry.pid !== first?.pid && !beats.entries().some((other) => other.pid === entry.pid));
    });

    const stalledAt = Date.now();
    network.stall();
    const again = await beats.started(3, 2);
    const took = again.map(({ at }) => at - stalledAt);
    process.stdout.write(`network stalled: runs started elsewhere after ${took.join(", ")} ms\n`);
    for (const start of again) {
      const before = beats.entries().filter((entry) => entry.runId === start.runId && entry.attempt === 1);
      expect(before.at(-1)!.at).toBeLessThan(start.at);
    }

    // All that the worker said and could not say arrives now, late.
    network.open();
    beats.openGate();
    await beats.ended(items.length);
    for (const runId of runIds) {
      await eventually("the run is completed", async () => (await client.run(runId)).state === RunState.COMPLETED);
      expect(mostAtOnce(beats.entries().filter((entry) => entry.runId === runId))).toBe(1);
    }
    expect(mostAtOnce(beats.entries().filter((entry) => entry.taskId === "beating-alone"))).toBe(1);
    expect(beats.entries().filter((entry) => entry.event === "end")).toHaveLength(items.length);
    return Math.max(...took);
  };
  expect(await inTime(leaseMs + moreMs, absence)).toBeLessThanOrEqual(leaseMs + moreMs);
});

test.concurrent.for([
  ["cut, again and again", (network: TcpProxy) => network.cut(), 5, 500],
  ["cut, and for seconds no other can be opened", (network: TcpProxy) => network.refuse(), 1, 4_000],
  ["silent for seconds", (network: TcpProxy) => network.stall(), 1, 6_000],
] as const)("a worker whose stream is %s keeps its attempts", async ([, fail, times, milliseconds], { expect, onTestFinished }) => {
  const { network, client, beats } = await prepare(onTestFinished);
  const items = [
    ...Array.from({ length: 10 }, (_, i) => beats.item("beating", `b${i}`)),
    beats.item("beating-alone", "alone"),
    beats.item("beating-alone", "next"),
  ];
  const runIds = await client.trigger(...items);
  await beats.started(items.length - 1);

  for (let time = 0; time < times; time++) {
    const connections = network.connections;
    fail(network);
    await pause(milliseconds);
    network.open();
    await eventually("the worker is connected anew", () => network.connections > connections);
  }
  // What the server hears after it all: the code has gone on, and ends now.
  beats.openGate();
  await beats.ended(items.length);
  for (const runId of runIds) {
    await eventually("the run is completed", async () => (await client.run(runId)).state === RunState.COMPLETED);
    expect((await client.run(runId)).attemptCount).toBe(1);
  }
  expect(beats.starts()).toHaveLength(items.length);
  expect(mostAtOnce(beats.entries().filter((entry) => entry.taskId === "beating-alone"))).toBe(1);
});

// The claim of a queue is a lease, too.
test.concurrent("of two queues one serves: when it stops the other takes over at once, and when it is killed, once its claim has lapsed", {
  timeout: 90_000,
}, async ({ expect, onTestFinished }) => {
  const server = await TestServer.start({ shape: "three", onCleanUp: onTestFinished });
  const processes = server.three;
  if (!processes) throw new Error("these are not three processes");
  const client = new RunClient(server, onTestFinished);
  const first = processes.service("queue");
  const second = await processes.replica("queue");
  await second.ready();
  const [before = ""] = await client.trigger({ taskId: "kept" });

  const stopped = performance.now();
  await Promise.all([first.program.stop(), client.trigger({ taskId: "meanwhile" })]);
  const handOver = Math.round(performance.now() - stopped);
  expect((await client.run(before)).taskId).toBe("kept");
  expect(handOver).toBeLessThan(handOverMs);

  const third = await processes.replica("queue");
  await third.ready();
  const killed = performance.now();
  await second.program.kill();
  // Callers are told to come again until somebody serves.
  const after = await eventually("somebody serves again", () => client.trigger({ taskId: "afterwards" }), 2 * (claimMs + claimMoreMs));
  const takeOver = Math.round(performance.now() - killed);
  process.stdout.write(`queue: handed over within ${handOver} ms; taken over ${takeOver} ms after SIGKILL\n`);
  expect(await Promise.all([before, ...after].map(async (runId) => (await client.run(runId)).taskId))).toEqual(["kept", "afterwards"]);
});
