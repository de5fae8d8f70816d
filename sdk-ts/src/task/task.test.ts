import { Code } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { AuthenticationError, configure, RateLimitError, SubtaskUnwrapError, type TaskOptions, TaskRunPromise, task, tasks } from "../index.js";
import { taskRegistry } from "../runtime/task-registry.js";
import type { FakeRunService } from "../testing/fake-run-service.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";
import { timeout } from "./timeout.js";

const double = task({ id: "double", description: "Doubles", run: async (payload: { n: number }) => ({ n: payload.n * 2 }) });
const silent = task({ id: "silent", run: async () => {} });

let service: FakeRunService;
serveRuns((given) => {
  service = given;
});

afterEach(() => void vi.unstubAllEnvs());

const json = (value: unknown) => ({ contentType: "application/json", data: Buffer.from(JSON.stringify(value)) });

test("trigger returns the handle of the run, and sends the payload as JSON", async () => {
  const handle = await double.trigger({ n: 21 });
  expect(handle).toEqual({ id: "run_1", taskIdentifier: "double", isCached: false });
  const { item } = service.runs.get("run_1")!;
  expect(item.taskId).toBe("double");
  expect(item.payload).toMatchObject({ contentType: "application/json" });
  expect(Buffer.from(item.payload!.data).toString()).toBe('{"n":21}');
  expect(item.options).toBeUndefined();
});

test("a trigger without a payload sends none", async () => {
  await silent.trigger();
  expect(service.runs.get("run_1")?.item.payload).toBeUndefined();
});

test("tasks.trigger needs only the id", async () => {
  expect(await tasks.trigger<typeof double>("double", { n: 1 })).toEqual({ id: "run_1", taskIdentifier: "double", isCached: false });
});

test("options travel; fewer than one attempt counts as one", async () => {
  await double.trigger({ n: 1 }, { maxAttempts: 7, queue: "slow" });
  await double.trigger({ n: 1 }, { maxAttempts: 0 });
  expect(service.runs.get("run_1")?.item.options).toMatchObject({ maxAttempts: 7, queue: "slow" });
  expect(service.runs.get("run_2")?.item.options).toMatchObject({ maxAttempts: 1 });
});

test("a trigger that names no version has that of the environment: RUNLANE_VERSION, else TRIGGER_VERSION", async () => {
  const versionOf = (runId: string) => service.runs.get(runId)!.item.options?.version;
  vi.stubEnv("TRIGGER_VERSION", "20261123.1");
  await double.trigger({ n: 1 });
  await double.triggerAndWait({ n: 1 });
  await double.trigger({ n: 1 }, { version: "20261123.2", queue: "slow" });
  expect(["run_1", "run_2", "run_3"].map(versionOf)).toEqual(["20261123.1", "20261123.1", "20261123.2"]);
  vi.stubEnv("RUNLANE_VERSION", "20261123.3");
  await double.batchTrigger([
    { payload: { n: 1 }, options: { maxAttempts: 1 } },
    { payload: { n: 2 }, options: { version: "20261123.4" } },
  ]);
  await double.batchTriggerAndWait([{ payload: { n: 1 } }]);
  expect(["run_4", "run_5", "run_6"].map(versionOf)).toEqual(["20261123.3", "20261123.4", "20261123.3"]);
});

test("options that have no effect so far are refused, not ignored", async () => {
  const options = { region: "eu", externalDeploymentId: "abc", ttl: undefined };
  expect((await failureOf(double.trigger({ n: 1 }, options as object))).message).toBe("trigger: not yet supported: region, externalDeploymentId");
  expect(service.frames).toHaveLength(0);
});

test.each([
  [
    "an object with a getter that throws",
    () => ({
      get self() {
        throw new Error("no self");
      },
    }),
    "no self",
  ],
  ["a key that superjson refuses, beside a Date", () => ({ constructor: 1, at: new Date() }), "constructor"],
  ["a function", () => () => {}, "it is a function"],
  ["a symbol", () => Symbol("s"), "it is a symbol"],
])("a payload that JSON cannot say is refused before anything is sent: %s", async (_, payload, why) => {
  const error = await failureOf<TypeError>(tasks.trigger("any", payload()));
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toContain("the payload for task any cannot be written as JSON");
  expect(error.message).toContain(why);
  expect(service.frames).toHaveLength(0);
});

test("what the server refuses is an ApiError of its kind", async () => {
  service.onFrame = (frame, call) => {
    call.send({
      frame: {
        case: "outcomes",
        value: {
          requestId: frame.requestId,
          outcomes: [{ outcome: { case: "error", value: refusalStatus(Code.ResourceExhausted, "full", "LOG_FULL", 900) } }],
        },
      },
    });
    return true;
  };
  const error = await failureOf<RateLimitError>(double.trigger({ n: 1 }));
  expect(error).toBeInstanceOf(RateLimitError);
  expect(error).toMatchObject({ status: 429, code: "resource_exhausted", reason: "LOG_FULL", message: "full", millisecondsUntilReset: 900 });
});

test("a wrong key is an AuthenticationError", async () => {
  service.key = "rl_dev_other";
  const error = await failureOf<AuthenticationError>(double.trigger({ n: 1 }));
  expect(error).toBeInstanceOf(AuthenticationError);
  expect(error).toMatchObject({ status: 401, reason: "INVALID_KEY" });
});

test("triggerAndWait gives the output of a run that completed", async () => {
  const waiting = double.triggerAndWait({ n: 4 });
  expect(waiting).toBeInstanceOf(TaskRunPromise);
  expect(await waiting).toEqual({ ok: true, id: "run_1", taskIdentifier: "double", output: { n: 4 } });
  expect(await tasks.triggerAndWait<typeof double>("double", { n: 5 }).unwrap()).toEqual({ n: 5 });
});

test("a run without an output has undefined", async () => {
  service.run = () => ({ state: RunState.COMPLETED });
  expect(await silent.triggerAndWait()).toEqual({ ok: true, id: "run_1", taskIdentifier: "silent", output: undefined });
});

test("a failed run is a result; unwrap throws it", async () => {
  service.run = () => ({
    state: RunState.FAILED,
    failure: { kind: FailureKind.ERROR, name: "RangeError", message: "too far", stackTrace: "RangeError: too far\n    at run (task.ts:1:1)" },
  });
  const result = await double.triggerAndWait({ n: 1 });
  expect(result).toMatchObject({ ok: false, id: "run_1", taskIdentifier: "double" });
  expect(!result.ok && result.error).toMatchObject({ name: "RangeError", message: "too far" });
  const error = await failureOf<SubtaskUnwrapError>(double.triggerAndWait({ n: 1 }).unwrap());
  expect(error).toBeInstanceOf(SubtaskUnwrapError);
  expect(error).toMatchObject({ taskId: "double", runId: "run_2", message: "Task double failed in run run_2: RangeError: too far" });
  expect(error.cause).toMatchObject({ name: "RangeError" });
});

test("batchTriggerAndWait gives results in the order of the items", async () => {
  service.run = (item) => {
    const { n } = JSON.parse(Buffer.from(item.payload!.data).toString());
    return n === 2 ? { state: RunState.FAILED, failure: { kind: FailureKind.VALUE, raw: json("no") } } : { state: RunState.COMPLETED, output: json({ n }) };
  };
  const { id, runs } = await double.batchTriggerAndWait([1, 2, 3].map((n) => ({ payload: { n } })));
  expect(id).toMatch(/^batch_/);
  expect(runs).toEqual([
    { ok: true, id: "run_1", taskIdentifier: "double", output: { n: 1 } },
    { ok: false, id: "run_2", taskIdentifier: "double", error: "no" },
    { ok: true, id: "run_3", taskIdentifier: "double", output: { n: 3 } },
  ]);
});

test("triggers of different tasks and kinds share a frame; a batch has one of its own", async () => {
  await Promise.all([double.trigger({ n: 1 }), silent.triggerAndWait(), double.batchTrigger([{ payload: { n: 2 } }])]);
  expect(service.frames.map(({ items }) => items.length).sort()).toEqual([1, 2]);
});

test("without a key the first call fails and says what to do", async () => {
  configure({ baseURL: "http://runlane.invalid:7400" });
  expect((await failureOf<Error>(double.trigger({ n: 1 }))).message).toContain("RUNLANE_SECRET_KEY");
});

test("a task registers when it is defined, and is marked as one", () => {
  // Other files, whose tests ran in this process before, may have had a task of this name.
  const registered = taskRegistry().tasks.findLast(({ id }) => id === "double");
  expect(registered).toMatchObject({ id: "double", description: "Doubles", retry: undefined, queue: undefined, machine: undefined });
  expect((double as unknown as Record<symbol, unknown>)[Symbol.for("runlane.task")]).toBe(true);
  expect(Object.keys(double)).toEqual([
    "id",
    "description",
    "jsonSchema",
    "trigger",
    "batchTrigger",
    "triggerAndWait",
    "triggerAndSubscribe",
    "batchTriggerAndWait",
  ]);
});

test("queue and machine have a short and a long form", () => {
  task({ id: "short", queue: "shared", machine: "small-2x", run: async () => {} });
  task({ id: "long", queue: { name: "shared", concurrencyLimit: 0 }, machine: { preset: "small-2x" }, run: async () => {} });
  const registered = (id: string) => taskRegistry().tasks.find((each) => each.id === id);
  expect(registered("short")).toMatchObject({ queue: { name: "shared" }, machine: "small-2x" });
  expect(registered("long")).toMatchObject({ queue: { name: "shared", concurrencyLimit: 0 }, machine: "small-2x" });
});

test.each([
  [{ id: "" }, "an id has"],
  [{ id: "with space" }, "an id has"],
  [{ run: undefined }, "run must be a function"],
  [{ retry: { maxAttempts: 0 } }, "retry.maxAttempts"],
  [{ retry: { outOfMemory: { machine: "huge" } } }, 'retry.outOfMemory.machine: there is no machine "huge"'],
  [{ queue: { name: "a b" } }, "the name of a queue"],
  [{ queue: { concurrencyLimit: -1 } }, "queue: concurrencyLimit must be"],
  [{ machine: "huge" }, 'task "wrong": machine: there is no machine "huge"; there are micro'],
  [{ maxDuration: "long" }, "maxDuration is a number of seconds"],
  [{ onStart: "later" }, "onStart must be a function"],
])("a definition that breaks a rule is refused: %j", (wrong, why) => {
  const before = taskRegistry().tasks.length;
  expect(() => task({ id: "wrong", run: async () => {}, ...wrong } as unknown as TaskOptions<"wrong">)).toThrow(why);
  expect(taskRegistry().tasks).toHaveLength(before);
});

test.each([
  [60, 60],
  [1, 5],
  [7.2, 8],
  [timeout.None, 0],
  [Number.POSITIVE_INFINITY, 0],
])("a maxDuration of %d is registered as %d seconds", (maxDuration, registered) => {
  task({ id: "limited", maxDuration, run: async () => {} });
  expect(taskRegistry().tasks.at(-1)).toMatchObject({ maxDuration: registered });
});
