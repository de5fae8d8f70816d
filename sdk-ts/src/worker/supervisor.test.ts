import { Code } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { refusalStatus } from "../testing/fake-server.js";
import { failureOf, hex, outputOf } from "../testing/fake-worker-service.js";
import { isAlive, TestWorker, welcomedWorker } from "../testing/test-worker.js";

describe("a worker that meets its server", () => {
  test("says Hello with its tasks, before a runner has loaded them", async () => {
    const { service } = await welcomedWorker();
    const hello = await service.hello();
    expect(hello).toMatchObject({ protocolRevision: 1, workerId: "worker-1", incarnation: 1n, slots: 10, held: [], buildId: "build" });
    expect(hello.tasks[0]).toMatchObject({ id: "echo", filePath: "tasks/plain.mjs", maxAttempts: 3 });
    expect(Object.keys(service.frames[0]!.frame).filter((key) => key === "heartbeat" || key === "drain")).toEqual([]);
  });

  test("runs what it is given; a quick result makes the acceptance needless", async () => {
    const { service } = await welcomedWorker();
    let number = 0;
    // Until one was quick: on a busy machine many may not be.
    for (; number < 20 || service.accepted.length === number; number += 1) {
      expect(outputOf(await service.result(service.assign("echo", { number })))).toEqual({ number });
    }
    expect(service.accepted.length).toBeLessThan(number);
  });

  test("accepts within milliseconds what takes longer", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(token)));
  });

  test("declines a task that it does not have", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("unknown");
    const declined = await service.until(() => service.frames.flatMap(({ frame }) => frame.declined)[0]);
    expect(hex(declined.token)).toBe(hex(token));
    expect(declined.reason).toContain('no task "unknown"');
  });

  test("gives up if the server refuses it", async () => {
    const worker = new TestWorker();
    onTestFinished(() => worker.stop());
    worker.service.onFrame = (_, call) => {
      call.end(refusalStatus(Code.Unauthenticated, "the key is not one of this server's", "INVALID_KEY"));
      return true;
    };
    await worker.start();
    await worker.service.until(() => worker.refusal);
    expect(worker.refusal?.rawMessage).toBe("the key is not one of this server's");
  });

  test("proves with each heartbeat what it holds", async () => {
    const { service } = await welcomedWorker();
    service.givesReceipts = false;
    const tokens = [service.assign("patient"), service.assign("echo", 1)];
    await service.result(tokens[1]!);
    const from = service.frames.length;
    const heartbeat = await service.until(() => service.frames.slice(from).find(({ frame }) => frame.heartbeat?.heldCount === 2)?.frame.heartbeat);
    const digest = tokens.map((token) => Buffer.from(token).readBigUInt64BE(token.length - 8)).reduce((a, b) => a ^ b);
    expect(heartbeat).toMatchObject({ heldDigest: digest, assignmentSequence: 2n });
  });

  test("lists what it holds when it is asked to", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(token)));
    service.send({ heartbeat: { sequence: 1n, listHeld: true } });
    const list = await service.until(() => service.frames.find(({ frame }) => frame.heldList)?.frame.heldList);
    expect(list.held.map((held) => hex(held.token))).toEqual([hex(token)]);
    expect(list.assignmentSequence).toBe(1n);
  });

  test("lists all that it has accepted by then, also what came with the question and right after it", async () => {
    const { service } = await welcomedWorker();
    const tokens = ["patient", "patient"].map((taskId, i) => {
      const assignment = service.assignment(taskId);
      service.send({ assignments: [assignment], ...(i === 0 ? { heartbeat: { sequence: 1n, listHeld: true } } : {}) });
      return hex(assignment.token);
    });
    await service.until(() => tokens.every((token) => service.accepted.includes(token)) && service.frames.some(({ frame }) => frame.heldList));
    const at = service.frames.findIndex(({ frame }) => frame.heldList);
    const accepted = service.frames.slice(0, at + 1).flatMap(({ frame }) => frame.accepted.map(hex));
    expect(accepted.length).toBeGreaterThan(0);
    expect(service.frames[at]?.frame.heldList?.held.map((held) => hex(held.token))).toEqual(expect.arrayContaining(accepted));
  });
});

describe("a worker whose stream breaks", () => {
  test("comes back, holds what it held, and repeats results without a receipt", async () => {
    const { service } = await welcomedWorker();
    service.givesReceipts = false;
    const running = service.assign("patient");
    const done = service.assign("echo", 1);
    await service.result(done);
    service.cut();
    const hello = await service.hello(2);
    expect(hello.held.map((held) => hex(held.token)).sort()).toEqual([hex(running), hex(done)].sort());
    await service.until(() => service.resultsOf(done).length === 2);
    service.givesReceipts = true;
    service.cut();
    await service.hello(3);
    await service.until(() => service.resultsOf(done).length === 3);
    // The answer to a question asked after the receipt says that the receipt came; a cut right behind it may overtake it.
    service.send({ heartbeat: { sequence: 1n, listHeld: true } });
    await service.until(() => service.frames.some(({ frame }) => frame.heldList));
    service.cut();
    expect((await service.hello(4)).held.map((held) => hex(held.token))).toEqual([hex(running)]);
  });

  test("finds a server again that was away", async () => {
    const worker = await welcomedWorker();
    const port = Number(new URL(worker.service.address).port);
    await worker.service.stop();
    await worker.service.until(() => worker.lines.some((line) => line.includes("trying again")));
    await worker.service.start(port);
    await worker.service.hello(2);
  });

  test("says Hello on the same stream when it is asked for it, and hears nothing before the Welcome", async () => {
    const { service } = await welcomedWorker();
    service.givesReceipts = false;
    const done = service.assign("echo", 1);
    await service.result(done);
    service.answersHello = false;
    service.send({ helloAgain: true });
    const hello = await service.hello(2);
    expect(hello.held.map((held) => hex(held.token))).toEqual([hex(done)]);
    expect(service.streams).toBe(1);
    const unheard = service.assign("echo", 2);
    service.send({ welcome: service.welcome() });
    const heard = service.assign("echo", 3);
    await service.result(heard);
    expect(service.resultsOf(unheard)).toEqual([]);
    expect(service.resultsOf(done)).toHaveLength(2);
  });

  test("opens another stream when the server falls silent", async () => {
    const { service } = await welcomedWorker({}, { service: { leaseMs: 1_500, heartbeatMs: 50 } });
    service.answersHeartbeats = false;
    await service.hello(2);
    expect(service.frames.filter(({ frame }) => frame.hello).map(({ stream }) => stream)).toEqual(expect.arrayContaining([1, 2]));
  });

  test("drops what is no longer its own, and reports nothing of it", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(token)));
    service.send({ lost: [token] });
    const from = service.frames.length;
    await service.until(() => service.frames.slice(from).some(({ frame }) => frame.heartbeat?.heldCount === 0));
    await service.result(service.assign("echo", 1));
    expect(service.resultsOf(token)).toEqual([]);
  });

  test("ends its attempts before the lease can have ended, and reports them when the server is back", async () => {
    const { service } = await welcomedWorker({}, { service: { leaseMs: 1_000, heartbeatMs: 100 } });
    // Of three measurements one has to be in time: on a busy machine each may be late for reasons that are not the worker's.
    let shortestMs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3 && shortestMs >= 1_000; round += 1) {
      const pid = Number(outputOf(await service.result(service.assign("pid"))));
      const token = service.assign("patient");
      await service.until(() => service.accepted.includes(hex(token)));
      service.onFrame = () => true;
      const silentFrom = performance.now();
      await service.until(() => !isAlive(pid));
      shortestMs = Math.min(shortestMs, performance.now() - silentFrom);
      service.onFrame = () => {};
      const result = await service.result(token);
      expect(failureOf(result)).toMatchObject({ processLost: true, failure: { code: "TASK_RUN_STALLED_EXECUTING" } });
    }
    // Due after 500 ms. What matters is that the lease of 1,000 ms has not ended.
    expect(shortestMs).toBeLessThan(1_000);
  });
});

describe("a run that is cancelled", () => {
  test("is confirmed when its code has ended", async () => {
    const { service } = await welcomedWorker();
    // So that its process is there: code that has not started is cut off, too.
    const pid = outputOf(await service.result(service.assign("pid")));
    const token = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(token)));
    service.send({ cancels: [{ token, reason: "by a test" }] });
    await service.until(() => service.confirmed.includes(hex(token)));
    // It was not cut off: its process takes what is new.
    expect(outputOf(await service.result(service.assign("pid")))).toBe(pid);
    expect(service.resultsOf(token)).toEqual([]);
  });

  test("is cut off a second later if its code does not listen; a shared runner then takes nothing new", async () => {
    const { service } = await welcomedWorker();
    const before = outputOf(await service.result(service.assign("pid")));
    const token = service.assign("deaf");
    const other = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(other)));
    const from = performance.now();
    service.send({ cancels: [{ token, reason: "" }] });
    await service.until(() => service.confirmed.includes(hex(token)));
    expect(performance.now() - from).toBeGreaterThan(900);
    const after = outputOf(await service.result(service.assign("pid")));
    expect(after).not.toBe(before);
    expect(isAlive(Number(before))).toBe(true);
    service.send({ cancels: [{ token: other, reason: "" }] });
    await service.until(() => !isAlive(Number(before)));
  });

  test("is cut off by the end of its process if it has one of its own", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("deaf-machine");
    await service.until(() => service.accepted.includes(hex(token)));
    service.send({ cancels: [{ token, reason: "" }] });
    await service.until(() => service.confirmed.includes(hex(token)));
  });

  test("is confirmed at once if its code has ended already", async () => {
    const { service } = await welcomedWorker();
    service.givesReceipts = false;
    const token = service.assign("echo", 1);
    await service.result(token);
    service.send({ cancels: [{ token, reason: "" }] });
    await service.until(() => service.confirmed.includes(hex(token)));
  });
});

describe("a worker that leaves", () => {
  test("takes nothing new, finishes what it has, and gives back the rest", async () => {
    const worker = await welcomedWorker();
    const { service } = worker;
    await service.result(service.assign("echo"));
    const endless = service.assign("patient");
    const short = service.assign("blocks", { milliseconds: 100 });
    await service.until(() => service.accepted.includes(hex(endless)));
    const drained = worker.supervisor.drain("the worker is stopping", 1_500);
    await service.until(() => service.frames.some(({ frame }) => frame.drain?.reason === "the worker is stopping"));
    const late = service.assign("echo", 1);
    await service.until(() => service.frames.some(({ frame }) => frame.declined.some((one) => hex(one.token) === hex(late))));
    expect((await service.result(short)).outcome.case).toBe("output");
    expect((await service.result(endless)).outcome.case).toBe("release");
    await drained;
  });
});

describe("a run that waits for others", () => {
  test("asks for them in one command, and goes on with their results", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("parent");
    const command = await service.until(() => service.commands[0]);
    expect(command).toMatchObject({ commandId: 1, command: { case: "triggerAndWait", value: { waitId: 1, items: [{ taskId: "child" }] } } });
    service.send({ commandOutcomes: [{ token, commandId: 1, outcomes: [{ outcome: { case: "runId", value: "run_c" } }] }] });
    service.send({ resumes: [{ token, waitId: 1, results: [completed("run_c", 7)] }] });
    expect(outputOf(await service.result(token))).toBe(7);
  });

  test("goes back to waiting while others are open, and names them", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("parent-of-two");
    await service.until(() => service.commands.length === 2);
    service.send({
      commandOutcomes: [1, 2].map((commandId) => ({ token, commandId, outcomes: [{ outcome: { case: "runId" as const, value: `run_${commandId}` } }] })),
    });
    service.send({ resumes: [{ token, waitId: 2, results: [completed("run_2", "b")] }] });
    const command = await service.until(() => service.commands[2]);
    expect(command).toMatchObject({ commandId: 3, command: { case: "continueWaiting", value: { openWaits: [1] } } });
    service.send({ resumes: [{ token, waitId: 1, results: [completed("run_1", "a")] }] });
    expect(outputOf(await service.result(token))).toBe("a,b");
    expect(service.commands).toHaveLength(3);
  });

  test("repeats commands without an answer after a broken stream, and names its open waits", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("parent-of-two");
    await service.until(() => service.commands.length === 2);
    service.send({ commandOutcomes: [{ token, commandId: 1, outcomes: [{ outcome: { case: "runId", value: "run_1" } }] }] });
    // The answer to a later question: it has taken what came before.
    service.send({ heartbeat: { sequence: 1n, listHeld: true } });
    await service.until(() => service.frames.some(({ frame }) => frame.heldList));
    service.cut();
    const hello = await service.hello(2);
    expect(hello.held).toMatchObject([{ openWaits: [1, 2] }]);
    await service.until(() => service.commands.length === 3);
    expect(service.commands[2]).toEqual(service.commands[1]);
    // After a broken stream the result of a wait may come before the answer to its command.
    service.send({ resumes: [1, 2].map((waitId) => ({ token, waitId, results: [completed(`run_${waitId}`, waitId)] })) });
    service.send({ commandOutcomes: [{ token, commandId: 2, outcomes: [{ outcome: { case: "runId", value: "run_2" } }] }] });
    expect(outputOf(await service.result(token))).toBe("1,2");
  });

  test("fails with the refusal if its child can not be triggered", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("parent");
    await service.until(() => service.commands[0]);
    service.send({
      commandOutcomes: [{ token, commandId: 1, outcomes: [{ outcome: { case: "error", value: { code: Code.InvalidArgument, message: "bad" } } }] }],
    });
    const { failure, retryDelay } = failureOf(await service.result(token));
    expect(failure).toMatchObject({ kind: FailureKind.ERROR, name: "BadRequestError", message: "bad" });
    expect(retryDelay).toBeUndefined();
  });

  test("sends a batch in parts, the next when the one before is answered, and seals it with the last", async () => {
    const { service } = await welcomedWorker();
    const token = service.assign("fan-out", 1_000);
    const answer = (commandId: number, first: number) =>
      service.send({
        commandOutcomes: [
          {
            token,
            commandId,
            outcomes: Array.from({ length: 500 }, (_, index) => ({ outcome: { case: "runId" as const, value: `run_${first + index}` } })),
            batch: { batchId: "batch_1", runCount: first + 500 },
          },
        ],
      });
    await service.until(() => service.commands.length === 1);
    answer(1, 0);
    await service.until(() => service.commands.length === 2);
    answer(2, 500);
    expect(outputOf(await service.result(token))).toBe(1_000);
    const parts = service.commands.map(({ command }) => (command.case === "trigger" ? command.value : undefined));
    expect(parts.map((part) => part?.items.length)).toEqual([500, 500]);
    expect(parts.map((part) => part?.batch)).toMatchObject([
      { batchId: "", firstIndex: 0, seal: false },
      { batchId: "batch_1", firstIndex: 500, seal: true },
    ]);
  });
});

function completed(runId: string, value: unknown) {
  return { runId, taskId: "child", state: 6, output: { data: Buffer.from(JSON.stringify(value)) } };
}
