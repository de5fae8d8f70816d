import { join } from "node:path";
import { type Run, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mostAtOnce, readDiary } from "./support/diary.js";
import { eventually } from "./support/eventually.js";
import { jsonPayload, jsonValue } from "./support/json-payload.js";
import { RunClient } from "./support/run-client.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

// What holds tasks to memory, time and signs of life: real processes that break their limits.
let server: TestServer;
let client: RunClient;
beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll });
  client = new RunClient(server, afterAll);
  // Room for one medium-1x, or for two small-2x.
  new TestWorker(server, "limits", { args: ["--cpus", "2", "--memory", "2GiB"], onCleanUp: afterAll });
});

const item = (taskId: string, payload: unknown = {}, options = {}) => ({ taskId, payload: jsonPayload(payload), options });

async function final(runId: string): Promise<Run> {
  return await eventually(`${runId} is final`, async () => {
    const run = await client.run(runId);
    return run.state >= RunState.COMPLETED && run;
  });
}

describe("memory", () => {
  test.each([
    ["the heap of its process", "heap", "40000 on attempt 2"],
    ["the memory of its machine outside of the heap", "buffers", "20 on attempt 2"],
  ])("a run that needs more than %s completes on the larger machine that its task names", async (_, taskId, output) => {
    const run = await client.triggerAndWait(item(taskId));
    expect(run).toMatchObject({ state: RunState.COMPLETED, attemptCount: 2, machine: "medium-1x" });
    expect(jsonValue(run.output)).toBe(output);
  });

  test("without a larger one it has CRASHED, and says machine, limit and what to do", async () => {
    const run = await client.triggerAndWait(item("hopeless"));
    expect(run).toMatchObject({ state: RunState.CRASHED, attemptCount: 1, failure: { code: "TASK_PROCESS_OOM_KILLED" } });
    expect(run.failure?.message).toMatch(/^out of memory: .*Its machine is micro \(0\.25 cpu, 256 MiB\); give the task a larger one/);
  });
});

describe("capacity", () => {
  test("a worker of a small-2x never executes two runs that need one", async () => {
    const diary = join(temporaryFolder(), "diary");
    const small = await TestServer.start();
    new TestWorker(small, "limits", { args: ["--machine", "small-2x"] });
    const other = new RunClient(small);
    await other.trigger(...Array.from({ length: 4 }, () => item("sized", { diary, milliseconds: 300 })));
    await eventually("all have ended", () => readDiary(diary).filter(({ event }) => event === "end").length === 4);
    expect(mostAtOnce(readDiary(diary))).toBe(1);
  });

  test("one with room for two executes two, and no more", async () => {
    const diary = join(temporaryFolder(), "diary");
    await client.trigger(...Array.from({ length: 5 }, () => item("sized", { diary, milliseconds: 700 })));
    await eventually("all have ended", () => readDiary(diary).filter(({ event }) => event === "end").length === 5);
    expect(mostAtOnce(readDiary(diary))).toBe(2);
  });
});

describe("maxDuration", () => {
  test.concurrent("a run that sleeps for longer is TIMED_OUT, and not tried again", async () => {
    const run = await client.triggerAndWait(item("sleeper"));
    expect(run).toMatchObject({ state: RunState.TIMED_OUT, attemptCount: 1, failure: { code: "MAX_DURATION_EXCEEDED" } });
  });

  test.concurrent("one that waits for longer completes", async () => {
    const run = await client.triggerAndWait(item("waiter"));
    expect(run).toMatchObject({ state: RunState.COMPLETED, maxDurationSeconds: 5 });
  });

  test.concurrent("one whose trigger lifts the limit completes", async () => {
    const run = await client.triggerAndWait(item("unlimited", {}, { maxDurationSeconds: 0 }));
    expect(run).toMatchObject({ state: RunState.COMPLETED, maxDurationSeconds: 0 });
  });
});

test("a run that blocks its process beyond the stall limit is tried again, and so are the others of the process", async () => {
  const neighbours = await client.trigger(...Array.from({ length: 6 }, () => item("neighbour", { milliseconds: 6_000 })));
  await eventually("they execute", async () =>
    (await Promise.all(neighbours.map((runId) => client.run(runId)))).every((run) => run.state === RunState.EXECUTING),
  );
  const blocker = await client.triggerAndWait(item("blocker", { milliseconds: 60_000 }));
  expect([blocker.state, blocker.attemptCount, jsonValue(blocker.output)]).toEqual([RunState.COMPLETED, 2, 2]);
  const runs = await Promise.all(neighbours.map((runId) => final(runId)));
  expect(runs.map((run) => run.state)).toEqual(runs.map(() => RunState.COMPLETED));
  expect(new Set(runs.map((run) => run.attemptCount))).toContain(2);
});
