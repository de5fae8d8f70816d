import { AsyncLocalStorage } from "node:async_hooks";
import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunResult, RunState, TriggerItemSchema } from "#gen/runlane/v1/run_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import { type FakeServer, failureOf, refusalStatus } from "../testing/fake-server.js";
import { createConnectionSource } from "./connection-source.js";
import { errorInfoOf } from "./grpc-error.js";
import { TriggerStream, type TriggerStreamOptions } from "./trigger-stream.js";

let service: FakeRunService;
let server: FakeServer;
let stream: TriggerStream;
let target: { address: string; secretKey: string };

beforeEach(async () => {
  service = new FakeRunService();
  server = await service.start();
  target = { address: server.address, secretKey: "rl_dev_test" };
  stream = streamWith({});
});

afterEach(async () => {
  stream.close();
  await server.stop();
});

function streamWith(options: TriggerStreamOptions): TriggerStream {
  const backoff = { next: () => 10, reset: () => {} };
  return new TriggerStream(
    createConnectionSource(() => target),
    { backoff, ...options },
  );
}

function trigger(taskId: string, data = ""): Promise<string> {
  const item = create(TriggerItemSchema, { taskId, payload: { contentType: "application/json", data: Buffer.from(data) } });
  return new Promise((resolve, reject) => {
    stream.trigger(item, { awaitsResult: false, triggered: resolve, finished: () => {}, failed: reject });
  });
}

function triggerAndWait(taskId: string): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    stream.trigger(create(TriggerItemSchema, { taskId }), { awaitsResult: true, triggered: () => {}, finished: resolve, failed: reject });
  });
}

function watch(runId: string): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    stream.watch(runId, { awaitsResult: true, triggered: () => {}, finished: resolve, failed: reject });
  });
}

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => `task-${index}`);

test("calls of one turn travel in one frame, and each hears of its own run", async () => {
  const runIds = await Promise.all(inOrder(100).map((taskId) => trigger(taskId)));
  expect(service.frames).toHaveLength(1);
  for (const [index, runId] of runIds.entries()) expect(service.runs.get(runId)?.item.taskId).toBe(`task-${index}`);
});

test("calls made in continuations of one turn share its frame too", async () => {
  const later = async (taskId: string) => {
    for (let hop = 0; hop < 10; hop++) await undefined;
    return trigger(taskId);
  };
  await Promise.all([trigger("now"), later("after ten microtasks")]);
  expect(service.frames).toHaveLength(1);
});

test("a frame holds at most 500 triggers, in their order", async () => {
  await Promise.all(inOrder(1_201).map((taskId) => trigger(taskId)));
  expect(service.frames.map((frame) => frame.items.length)).toEqual([500, 500, 201]);
  expect(service.frames.flatMap((frame) => frame.items.map((item) => item.taskId))).toEqual(inOrder(1_201));
});

test("a frame has at most 512 KiB", async () => {
  const data = JSON.stringify("x".repeat(100_000));
  await Promise.all(inOrder(12).map((taskId) => trigger(taskId, data)));
  expect(service.frames.map((frame) => frame.items.length)).toEqual([5, 5, 2]);
  for (const frame of service.frames) expect(frame.bytes.length).toBeLessThanOrEqual(512 * 1024);
});

test("while many frames are unanswered, further triggers gather instead of travelling one by one", async () => {
  const unanswered: (() => void)[] = [];
  service.onFrame = (frame, call) => {
    unanswered.push(() => service.answer(frame, call));
    return true;
  };
  const runs: Promise<string>[] = [];
  for (const taskId of inOrder(100)) {
    runs.push(trigger(taskId));
    await new Promise(setImmediate);
  }
  await expect.poll(() => unanswered.length).toBe(64);
  service.onFrame = () => {};
  for (const answer of unanswered) answer();
  await Promise.all(runs);
  expect(service.frames.map((frame) => frame.items.length)).toEqual([...Array(64).fill(1), 36]);
});

test("results arrive on the stream, in whatever order runs end", async () => {
  service.run = () => undefined;
  const results = [triggerAndWait("first"), triggerAndWait("second")];
  await expect.poll(() => service.runs.size).toBe(2);
  service.finish("run_2", { state: RunState.FAILED, failure: { message: "no" } });
  service.finish("run_1", { state: RunState.COMPLETED });
  const [first, second] = await Promise.all(results);
  expect(first).toMatchObject({ runId: "run_1", taskId: "first", state: RunState.COMPLETED });
  expect(second).toMatchObject({ runId: "run_2", state: RunState.FAILED, failure: { message: "no" } });
});

test("a frame without an answer is sent again, byte for byte, on the next stream; its tasks are triggered once", async () => {
  let cuts = 3;
  service.onFrame = (frame) => {
    if (cuts === 0) return false;
    cuts -= 1;
    // The worst case: the runs exist, and the answer is lost.
    service.trigger(frame);
    server.cut();
    return true;
  };
  const runIds = await Promise.all(inOrder(7).map((taskId) => trigger(taskId)));
  expect(service.frames).toHaveLength(4);
  expect(new Set(service.frames.map((frame) => Buffer.from(frame.bytes).toString("hex"))).size).toBe(1);
  expect(new Set(service.frames.map((frame) => frame.stream)).size).toBe(4);
  expect(service.runs.size).toBe(7);
  expect(runIds.map((runId) => service.runs.get(runId)?.item.taskId)).toEqual(inOrder(7));
});

test("after a broken stream, runs whose results are awaited are watched", async () => {
  service.run = () => undefined;
  const result = triggerAndWait("long");
  await expect.poll(() => service.runs.size).toBe(1);
  // The outcome has been heard once a later frame is answered.
  await trigger("other");
  server.cut();
  await expect.poll(() => service.watched).toEqual(["run_1"]);
  service.finish("run_1", { state: RunState.COMPLETED });
  expect(await result).toMatchObject({ runId: "run_1", state: RunState.COMPLETED });
});

test("a server that comes back on another port is found", async () => {
  service.run = () => undefined;
  const result = triggerAndWait("long");
  await expect.poll(() => service.runs.size).toBe(1);
  await trigger("other");
  await server.stop();
  server = await service.start();
  target = { address: server.address, secretKey: "rl_dev_test" };
  await expect.poll(() => service.watched).toEqual(["run_1"]);
  service.finish("run_1", { state: RunState.COMPLETED });
  expect(await result).toMatchObject({ state: RunState.COMPLETED });
});

test("triggers made while the server is away wait for it", async () => {
  const { port } = server;
  await trigger("before");
  await server.stop();
  const runs = Promise.all(inOrder(3).map((taskId) => trigger(taskId)));
  server = await service.start(port);
  await runs;
  expect([...service.runs.values()].map((run) => run.item.taskId)).toEqual(["before", ...inOrder(3)]);
});

test("a frame refused for the time being is sent again, identically, after the delay that the server asks for", async () => {
  const refusedAt: number[] = [];
  service.onFrame = (frame, call) => {
    if (refusedAt.length === 2) return false;
    refusedAt.push(performance.now());
    call.send({
      frame: { case: "outcomes", value: { requestId: frame.requestId, error: refusalStatus(Code.Unavailable, "NATS is away", "LOG_UNAVAILABLE", 60) } },
    });
    return true;
  };
  await trigger("patient");
  expect(service.frames).toHaveLength(3);
  expect(service.frames[1]!.bytes).toEqual(service.frames[0]!.bytes);
  expect(refusedAt[1]! - refusedAt[0]!).toBeGreaterThanOrEqual(58);
  expect(service.streams).toBe(1);
});

test("an item refused for the time being is tried again; the others are not", async () => {
  let refusals = 1;
  service.onFrame = (frame, call) => {
    if (refusals === 0) return false;
    refusals -= 1;
    const error = refusalStatus(Code.Unavailable, "not now", "OVERLOADED", 5);
    const value = {
      requestId: frame.requestId,
      outcomes: [{ outcome: { case: "error" as const, value: error } }, { outcome: { case: "runId" as const, value: "run_b" } }],
    };
    call.send({ frame: { case: "outcomes", value } });
    return true;
  };
  expect(await Promise.all([trigger("a"), trigger("b")])).toEqual(["run_1", "run_b"]);
  expect(service.frames.map((frame) => frame.items.map((item) => item.taskId))).toEqual([["a", "b"], ["a"]]);
  expect(service.frames[1]!.requestId).not.toBe(service.frames[0]!.requestId);
});

test("a refused item fails alone; a refused frame fails as a whole", async () => {
  service.onFrame = (frame, call) => {
    const error = refusalStatus(Code.ResourceExhausted, "too large", "PAYLOAD_TOO_LARGE");
    const value =
      frame.items.length === 2
        ? {
            requestId: frame.requestId,
            outcomes: [{ outcome: { case: "error" as const, value: error } }, { outcome: { case: "runId" as const, value: "run_b" } }],
          }
        : { requestId: frame.requestId, error };
    call.send({ frame: { case: "outcomes", value } });
    return true;
  };
  const [refused, accepted] = await Promise.allSettled([trigger("a"), trigger("b")]);
  expect(accepted).toEqual({ status: "fulfilled", value: "run_b" });
  expect(errorInfoOf((refused as PromiseRejectedResult).reason as ConnectError)?.reason).toBe("PAYLOAD_TOO_LARGE");
  expect(await failureOf(trigger("alone"))).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "too large" });
});

test("a refused key fails at once", async () => {
  service.key = "rl_dev_other";
  const error = await failureOf(trigger("a"));
  expect(error.code).toBe(Code.Unauthenticated);
  expect(service.frames).toHaveLength(0);
});

test("a key that was replaced is looked up again", async () => {
  service.key = "rl_dev_new";
  const secretKeys = ["rl_dev_old", "rl_dev_new"];
  stream = new TriggerStream(createConnectionSource(() => ({ address: server.address, secretKey: secretKeys.shift()! })));
  expect(await trigger("a")).toBe("run_1");
});

test("no server: the trigger fails when its time is up, and says what to do", async () => {
  await server.stop();
  stream = streamWith({ firstContactMs: 150 });
  const error = await failureOf(trigger("a"));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.message).toContain(server.address);
  expect(error.message).toContain(`(connect ECONNREFUSED 127.0.0.1:${server.port}): the task was not triggered.`);
  expect(error.message).toContain("RUNLANE_ADDRESS");
});

test("after it has given up, later calls have their full time", async () => {
  stream = streamWith({ timeoutMs: 300 });
  await trigger("before");
  const { port } = server;
  await server.stop();
  await failureOf(trigger("lost"));
  await failureOf(trigger("lost too"));
  service.run = () => undefined;
  const result = triggerAndWait("later");
  server = await service.start(port);
  await expect.poll(() => service.runs.size).toBe(2);
  service.finish("run_2", { state: RunState.COMPLETED });
  expect(await result).toMatchObject({ state: RunState.COMPLETED });
});

test("nothing of the caller's asynchronous context stays with the stream", async () => {
  const storage = new AsyncLocalStorage<string>();
  const contexts: (string | undefined)[] = [];
  const waiterIn = (resolve: () => void) => ({
    awaitsResult: false,
    triggered: () => {
      contexts.push(storage.getStore());
      resolve();
    },
    finished: () => {},
    failed: () => {},
  });
  await storage.run("first request", () => new Promise<void>((resolve) => stream.trigger(create(TriggerItemSchema, { taskId: "a" }), waiterIn(resolve))));
  expect(contexts).toEqual([undefined]);
});

test("a server that never answers: the trigger fails when its time is up", async () => {
  service.onFrame = () => true;
  stream = streamWith({ timeoutMs: 150 });
  const error = await failureOf(trigger("a"));
  expect(error.message).toContain("did not answer");
  expect(error.message).toContain("nobody can say whether the task was triggered");
});

test("a wait for a result has no limit while the server is there, and ends when it stays away", async () => {
  stream = streamWith({ timeoutMs: 200 });
  service.run = () => undefined;
  const result = triggerAndWait("long");
  let settled = false;
  void result.catch(() => {}).finally(() => (settled = true));
  await expect.poll(() => service.runs.size).toBe(1);
  service.onFrame = () => true;
  await failureOf(trigger("unanswered, and given up when as much time has passed"));
  expect(settled).toBe(false);
  await server.stop();
  expect((await failureOf(result)).message).toContain("the result of run run_1 cannot be awaited; the run goes on");
});

test("a watched run's result comes once it is final, also if it was so before", async () => {
  service.run = () => undefined;
  await trigger("slow");
  const early = watch("run_1");
  await expect.poll(() => service.watched).toEqual(["run_1"]);
  service.finish("run_1", { state: RunState.CANCELED });
  expect((await early).state).toBe(RunState.CANCELED);
  expect((await watch("run_1")).state).toBe(RunState.CANCELED);
});

test("two watchers of one run both hear of it; one that gives up hears nothing", async () => {
  service.run = () => undefined;
  await trigger("slow");
  let heard = 0;
  const waiter = () => ({ awaitsResult: true, triggered: () => {}, finished: () => (heard += 1), failed: () => {} });
  const giveUp = stream.watch("run_1", waiter());
  const result = watch("run_1");
  await expect.poll(() => service.watched.length).toBeGreaterThan(0);
  giveUp();
  expect(service.unwatched).toEqual([]);
  service.finish("run_1", { state: RunState.COMPLETED });
  await result;
  expect(heard).toBe(0);
});

test("the server is told when nobody waits for a run any more", async () => {
  service.run = () => undefined;
  await trigger("slow");
  const giveUp = stream.watch("run_1", { awaitsResult: true, triggered: () => {}, finished: () => {}, failed: () => {} });
  await expect.poll(() => service.watched).toEqual(["run_1"]);
  giveUp();
  await expect.poll(() => service.unwatched).toEqual(["run_1"]);
});

test("watching a run that does not exist fails with NOT_FOUND", async () => {
  expect(await failureOf(watch("run_none"))).toMatchObject({ code: Code.NotFound });
});

test("the stream is closed when nothing is under way, and opened again when needed", async () => {
  await trigger("a");
  await expect.poll(() => server.openCalls).toBe(0);
  await trigger("b");
  expect(service.streams).toBe(2);
});

test("closing fails what is under way, and what comes later", async () => {
  service.onFrame = () => true;
  const pending = failureOf(trigger("a"));
  await expect.poll(() => service.frames.length).toBe(1);
  stream.close();
  expect((await pending).code).toBe(Code.Canceled);
  expect((await failureOf(trigger("b"))).code).toBe(Code.Canceled);
});
