import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { FailureKind } from "@runlane/sdk/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { ResultDisposition } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { jsonPayload, jsonValue } from "../support/json-payload.js";
import { repository } from "../support/program.js";
import { RunClient } from "../support/run-client.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { type OnCleanUp, TestServer } from "../support/test-server.js";
import type { ForeignProject } from "./foreign-project.js";
import { pythonFault, pythonProject } from "./python-project.js";
import { ScriptedServer } from "./scripted-server.js";

/** Files by which a run of a task that waits shows what it does, and is let through. */
function prepareGate(onTestFinished: OnCleanUp) {
  const folder = temporaryFolder(onTestFinished);
  const [gate, diary] = [join(folder, "gate"), join(folder, "diary")];
  const lines = () => (existsSync(diary) ? readFileSync(diary, "utf8").trim().split("\n") : []);
  const until = (line: string) => eventually(`the code has written "${line}"`, () => lines().includes(line));
  /** When its code last wrote something, or (deaf) last ran. */
  const lastSign = () => statSync(diary).mtimeMs;
  return { lastSign, payload: { gate, diary }, open: () => writeFileSync(gate, ""), until };
}

test("examples/python/worker.py has 150 lines at most", () => {
  expect(readFileSync(join(repository, "examples/python/worker.py"), "utf8").split("\n").length - 1).toBeLessThanOrEqual(150);
});

// Each test has a server and a worker of its own, and waits for most of its time: so they run side by side.
describe.skipIf(pythonFault())("the Python worker of the documentation", () => {
  let project: ForeignProject;
  // The first time, packages are installed.
  beforeAll(async () => {
    project = await pythonProject(afterAll);
    writeFileSync(join(project.folder, "tasks.py"), readFileSync(join(import.meta.dirname, "fixtures/tasks.py")));
  }, 300_000);

  const startWorker = (env: Record<string, string>, onTestFinished: OnCleanUp) => project.start("python3", ["worker.py"], env, onTestFinished);

  describe.concurrent("with a server", () => {
    test("runs tasks: outputs, failures, failures that are tried again", async ({ onTestFinished }) => {
      const server = await TestServer.start({ onCleanUp: onTestFinished });
      startWorker(server.env, onTestFinished);
      const client = new RunClient(server, onTestFinished);
      const run = (taskId: string, value?: unknown, maxAttempts = 1) =>
        client.triggerAndWait({ taskId, options: { maxAttempts }, ...(value !== undefined && { payload: jsonPayload(value) }) });
      const { COMPLETED, FAILED } = RunState;

      const shouted = await run("shout", "ä€😀");
      expect([shouted.state, jsonValue(shouted.output)]).toEqual([COMPLETED, "Ä€😀"]);
      expect(await run("nothing")).toMatchObject({ state: COMPLETED, output: { data: new Uint8Array() } });
      expect(await run("chained")).toMatchObject({ state: FAILED, failure: { kind: FailureKind.ERROR, name: "ValueError", message: "\0 bad ? value" } });
      expect(await run("unwritable")).toMatchObject({ state: FAILED, failure: { kind: FailureKind.INTERNAL, code: "TASK_OUTPUT_ERROR" } });
      expect(await run("large", 131_071)).toMatchObject({ state: FAILED, failure: { code: "TASK_OUTPUT_ERROR" } });
      expect(await run("large", 131_070)).toMatchObject({ state: COMPLETED });
      expect(await run("shout", 7, 2)).toMatchObject({ state: FAILED, attemptCount: 2, failure: { name: "AttributeError" } });
    });

    test("stops code whose run is cancelled, and keeps its attempts when the connection breaks", async ({ onTestFinished }) => {
      const server = await TestServer.start({ onCleanUp: onTestFinished });
      const network = await TcpProxy.start(server.address, onTestFinished);
      startWorker({ ...server.env, RUNLANE_ADDRESS: network.address }, onTestFinished);
      const client = new RunClient(server, onTestFinished);
      const [cancelled, kept] = [prepareGate(onTestFinished), prepareGate(onTestFinished)];
      const [runId = "", keptId = ""] = await client.trigger(
        { taskId: "gated", payload: jsonPayload(cancelled.payload) },
        { taskId: "gated", payload: jsonPayload(kept.payload) },
      );
      await cancelled.until("start");
      await client.cancel(runId);
      await cancelled.until("end");

      await kept.until("start");
      network.cut();
      kept.open();
      const run = await eventually("the other run is completed", async () => {
        const found = await client.run(keptId);
        return found.state === RunState.COMPLETED && found;
      });
      expect([run.attemptCount, jsonValue(run.output)]).toEqual([1, "through"]);
      expect(network.connections).toBe(2);
    });
  });

  describe.concurrent("with a server that is played", () => {
    test("holds what it accepts until the receipt, and says it again on every stream, as the same worker", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished);
      startWorker(server.env, onTestFinished);
      const first = await server.hello();
      expect(first).toMatchObject({ protocolRevision: 1, buildId: "tests", slots: 10, held: [] });
      expect(first.tasks.map(({ id }) => id)).toContain("shout");
      await eventually("heartbeats come", () => server.heartbeats.some(({ heldCount, heldDigest }) => heldCount === 0 && heldDigest === 0n));

      const token = server.assign("shout", "held", 3);
      const digest = Buffer.from(token).readBigUInt64BE(4);
      expect((await eventually("the result comes", () => server.results(token)[0])).outcome).toMatchObject({ case: "output", value: jsonPayload("HELD") });
      expect(server.named(token, "accepted")).toBe(true);
      await eventually("a heartbeat tells of it", () => server.heartbeats.some(({ heldCount, heldDigest }) => heldCount === 1 && heldDigest === digest));
      server.send({ heartbeat: { sequence: 0n, listHeld: true } });
      const list = await eventually("the list comes", () => server.received.flatMap(({ frame }) => frame.heldList ?? [])[0]);
      expect(list).toMatchObject({ assignmentSequence: 1n, held: [{ token }] });

      server.fail(status.UNAVAILABLE, "played");
      const second = await server.hello(2);
      expect(second).toMatchObject({ workerId: first.workerId, incarnation: first.incarnation, held: [{ token }] });
      await eventually("the result comes again", () => server.results(token).length === 2);
      server.send({ receipts: [{ token, disposition: ResultDisposition.RECORDED }] });
      await eventually("it holds nothing", () => server.heartbeats.at(-1)?.heldCount === 0);
    });

    test("says Hello again on the same stream when asked, and hears nothing before the Welcome", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished);
      startWorker(server.env, onTestFinished);
      await server.hello();
      const token = server.assign("shout", "once");
      await eventually("the result comes", () => server.results(token).length === 1);
      server.answers = false;
      server.send({ helloAgain: true });
      expect(await server.hello(2)).toMatchObject({ held: [{ token }] });
      const unheard = server.assign("shout", "unheard");
      server.answers = true;
      server.welcome();
      await eventually("the result comes again", () => server.results(token).length === 2);
      const heard = server.assign("shout", "heard");
      await eventually("later assignments count", () => server.results(heard).length === 1);
      await eventually("it holds two results", () => server.heartbeats.at(-1)?.heldCount === 2);
      expect(server.named(unheard, "accepted")).toBe(false);
      expect(server.results(unheard)).toEqual([]);
      expect(server.stream).toBe(1);
    });

    test("confirms cancels, whether it knows the attempt or not; of a lost one it says nothing", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished);
      startWorker(server.env, onTestFinished);
      await server.hello();
      const [cancelled, lost] = [prepareGate(onTestFinished), prepareGate(onTestFinished)];
      const [first, second, third] = [server.assign("gated", cancelled.payload), server.assign("gated", lost.payload), Buffer.alloc(12, 200)];
      await Promise.all([cancelled.until("start"), lost.until("start")]);
      server.send({ cancels: [{ token: first }, { token: third }], lost: [second] });
      await Promise.all([cancelled.until("end"), lost.until("end")]);
      await eventually("both cancels are confirmed", () => server.named(first, "cancelConfirmed") && server.named(third, "cancelConfirmed"));
      server.send({ receipts: [{ token: first, disposition: ResultDisposition.RECORDED }] });
      await eventually("it holds nothing", () => server.heartbeats.at(-1)?.heldCount === 0);
      expect([...server.results(first), ...server.results(second)]).toEqual([]);

      // Cancelled before its code could begin.
      const token = Buffer.alloc(12, 201);
      server.send({ assignments: [{ token, taskId: "gated", sequence: 9n, payload: jsonPayload(cancelled.payload) }], cancels: [{ token }] });
      await eventually("it is confirmed", () => server.named(token, "cancelConfirmed"));
      const unknown = server.assign("nobody-has-this-task");
      await eventually("it is declined", () => server.received.some(({ frame }) => frame.declined.some((one) => Buffer.compare(one.token, unknown) === 0)));
    });

    // It stops its code a second and a half before, and itself half a second before.
    const leaseMs = 3_000;
    test("stops its code before a silent server's lease ends, and reports that later", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished, leaseMs);
      const worker = startWorker(server.env, onTestFinished);
      await server.hello();
      const gate = prepareGate(onTestFinished);
      const token = server.assign("gated", gate.payload);
      await gate.until("start");
      const silentSince = Date.now();
      server.answers = false;
      await gate.until("end");
      expect(gate.lastSign() - silentSince).toBeLessThan(leaseMs);
      server.answers = true;
      const [{ outcome }] = [await eventually("the result comes", () => server.results(token)[0])];
      expect(outcome).toMatchObject({ case: "failure", value: { processLost: true, failure: { code: "TASK_RUN_STALLED_EXECUTING" } } });
      expect(worker.running).toBe(true);
    });

    test("ends itself if its code does not stop in time", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished, leaseMs);
      const worker = startWorker(server.env, onTestFinished);
      await server.hello();
      const gate = prepareGate(onTestFinished);
      server.assign("deaf", gate.payload);
      await gate.until("start");
      const silentSince = Date.now();
      server.answers = false;
      expect(await worker.ended).toBe(1);
      expect(gate.lastSign() - silentSince).toBeLessThan(leaseMs);
    });

    test("ends when a newer life of it has taken over", async ({ onTestFinished }) => {
      const server = await ScriptedServer.start(onTestFinished);
      const worker = startWorker(server.env, onTestFinished);
      await server.hello();
      server.fail(status.ABORTED, "SESSION_SUPERSEDED");
      expect(await worker.ended).toBe(1);
    });
  });
});
