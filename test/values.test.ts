import { configure, runs, tasks } from "@runlane/sdk";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { TaskService } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { type calendar, type Rich, remind, type rich, type richParent, type richThrower, type unsayable } from "./fixtures/tasks/rich.js";
import { Stranger } from "./support/stranger.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

let server: TestServer;
let stranger: Stranger;
beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll });
  stranger = new Stranger(server.address, server.secretKey, afterAll);
  configure({ baseURL: server.address, secretKey: server.secretKey });
  new TestWorker(server, "tasks", { onCleanUp: afterAll });
});

const at = new Date("2026-01-02T03:04:05.678Z");
function richValue(): Rich {
  const twice = { url: new URL("https://example.com/") };
  return { at, names: new Map([["a", new Set([1, 2])]]), big: 2n ** 70n, missing: undefined, pattern: /a+/g, nothing: Number.NaN, twice: [twice, twice] };
}
function circle(): Rich {
  const value = richValue();
  value.self = value;
  return value;
}
/** How a circle looks to those who read plain JSON. */
const plainCircle = {
  at: "2026-01-02T03:04:05.678Z",
  names: [["a", [1, 2]]],
  big: "1180591620717411303424",
  pattern: "/a+/g",
  nothing: "NaN",
  twice: [{ url: "https://example.com/" }, { url: "https://example.com/" }],
  self: null,
};
const seen = [true, true, "bigint", true, true, true];

/** The bytes of a run's payload and output as JSON, and what stands beside them, as a program in any language gets them. */
async function asStranger(runId: string) {
  const { run } = await stranger.call(RunService.method.getRun, { runId });
  const of = (payload: NonNullable<typeof run>["payload"]) => ({ json: JSON.parse(Buffer.from(payload!.data).toString()), metadata: payload!.metadata });
  return { payload: of(run!.payload), output: run!.output && of(run!.output) };
}

describe("a rich value", () => {
  test("reaches the task's code, and its output the caller, as they were", async () => {
    const result = await tasks.triggerAndWait<typeof rich>("rich", circle()).unwrap();
    expect(result.seen).toEqual(seen);
    expect(result.payload.self).toBe(result.payload);
    expect(result.payload).toStrictEqual(circle());
  });

  test("reaches children and comes back from them, alone and in a batch", async () => {
    const results = await tasks.triggerAndWait<typeof richParent>("rich-parent", circle()).unwrap();
    expect(results).toHaveLength(3);
    for (const result of results) expect(result).toStrictEqual({ seen, payload: circle() });
  });

  test("is in a batch what it is alone", async () => {
    const { runs: results } = await tasks.batchTriggerAndWait<typeof rich>("rich", [{ payload: circle() }, { payload: circle() }]);
    for (const result of results) expect(result.ok && result.output).toStrictEqual({ seen, payload: circle() });
  });

  test("is plain JSON where a run is read, and for other languages; rich where it is followed", async () => {
    const handle = await tasks.trigger<typeof rich>("rich", circle());
    const polled = await runs.poll(handle);
    expect(polled.payload).toEqual(plainCircle);
    expect(polled.output).toEqual({ seen, payload: { ...plainCircle, self: null } });
    expect((await runs.retrieve(handle)).output).toEqual(polled.output);
    const { payload, output } = await asStranger(handle.id);
    expect(payload.json).toEqual(plainCircle);
    expect(Object.keys(payload.metadata)).toEqual(["superjson"]);
    expect(output!.json).toEqual(polled.output);
    for await (const run of runs.subscribeToRun<typeof rich>(handle.id)) {
      expect(run.payload).toStrictEqual(circle());
      if (run.isCompleted) expect(run.output!.payload).toStrictEqual(circle());
    }
  });

  test("may be thrown", async () => {
    const result = await tasks.triggerAndWait<typeof richThrower>("rich-thrower", { at, big: 7n }, { maxAttempts: 1 });
    expect(result).toStrictEqual({ ok: false, id: result.id, taskIdentifier: "rich-thrower", error: { at, big: 7n } });
    const { run } = await stranger.call(RunService.method.getRun, { runId: result.id });
    expect(JSON.parse(Buffer.from(run!.failure!.raw!.data).toString())).toEqual({ at: at.toISOString(), big: "7" });
  });

  test("may be large: many dates travel as superjson writes them", async () => {
    const days = await tasks.triggerAndWait<typeof calendar>("calendar", 20_000).unwrap();
    expect(days).toHaveLength(20_000);
    expect(days[19_999]).toEqual(new Date(19_999 * 86_400_000));
    const { id } = await tasks.trigger<typeof calendar>("calendar", 5_000);
    expect((await runs.poll<typeof calendar>(id)).output![1]).toBe("1970-01-02T00:00:00.000Z");
  });

  test("plain JSON has nothing beside it", async () => {
    const handle = await tasks.trigger("echo", { list: [1, "a", null, { b: true }] });
    await runs.poll(handle);
    const { payload, output } = await asStranger(handle.id);
    expect([payload.metadata, output!.metadata]).toEqual([{}, {}]);
  });
});

test("an output that is none fails the run, once", async () => {
  const handle = await tasks.trigger<typeof unsayable>("unsayable", undefined);
  const run = await runs.poll(handle);
  expect([run.status, run.attemptCount, run.error?.name]).toEqual(["FAILED", 1, "TASK_OUTPUT_ERROR"]);
});

describe("a task with a schema", () => {
  test("is given what the schema makes of the payload, once", async () => {
    const output = await remind.triggerAndWait({ at: "2026-01-02T03:04:05.678Z", count: "1" }).unwrap();
    expect(output).toEqual({ who: "nobody", at, count: 10, isDate: true });
  });

  test("creates no run for a payload that it refuses; tasks.trigger does, and it fails without retries", async () => {
    const wrong = { at: "never", count: "1" };
    await expect(remind.trigger(wrong)).rejects.toBeInstanceOf(z.ZodError);
    const run = await runs.poll(await tasks.trigger<typeof remind>("remind", wrong));
    expect([run.status, run.attemptCount, run.error?.name]).toEqual(["FAILED", 1, "TASK_INPUT_ERROR"]);
    expect(run.error?.message).toMatch(/^TASK_INPUT_ERROR: Parsing payload with schema failed: /);
    expect(run.error?.causes?.[0]).toMatchObject({ name: "ZodError" });
  });
});

test("a schema's JSON Schema is stored with the task: what callers may give", async () => {
  await remind.triggerAndWait({ at: 0, count: "1" });
  const { tasks: listed } = await stranger.call(TaskService.method.listTasks, {});
  const { payloadSchema } = listed.find(({ id }) => id === "remind")!;
  expect(JSON.parse(payloadSchema)).toMatchObject({
    type: "object",
    required: ["at", "count"],
    properties: { who: { type: "string" }, count: { type: "string" } },
  });
  expect(listed.find(({ id }) => id === "rich")!.payloadSchema).toBe("");
});

test("metadata that no reader can use fails the run with TASK_INPUT_ERROR", async () => {
  const payload = { data: Buffer.from("{}"), metadata: { superjson: '{"values":{"a":["nonsense"]}}' } };
  const { outcomes } = await stranger.call(RunService.method.triggerTasks, { items: [{ taskId: "echo", payload }] });
  const run = await runs.poll(outcomes[0]!.outcome.value as string);
  expect([run.status, run.error?.name]).toEqual(["FAILED", "TASK_INPUT_ERROR"]);
});
