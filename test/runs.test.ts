import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configure, runs, tasks } from "@runlane/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { fanOut, forgiving, leaving, nested } from "./fixtures/tasks/family.js";
import type { aborting, echo, failing, gated, limited } from "./fixtures/tasks/plain.js";
import { mostAtOnce, readDiary } from "./support/diary.js";
import { eventually } from "./support/eventually.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { shapes, TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

/** Triggers a task and waits for its final run. */
async function finished<Task extends Parameters<typeof tasks.trigger>[0]>(id: Task, payload: unknown) {
  return await runs.poll(await tasks.trigger(id, payload));
}

// What users see, through the SDK: two workers with two slots each on one server.
describe.each(shapes)("in shape %s", (shape) => {
  beforeAll(async () => {
    const server = await TestServer.start({ shape, onCleanUp: afterAll });
    configure({ baseURL: server.address, secretKey: server.secretKey });
    for (let i = 0; i < 2; i++) new TestWorker(server, "tasks", { concurrency: 2, onCleanUp: afterAll });
  });

  describe("a run", () => {
    test.each([
      ["text with everything", 'ü "quotes" \u0000 💥 \u2028'],
      ["nothing", undefined],
      ["null", null],
      ["a deep value", { a: [{ b: { c: [1, 2.5, -0.1, true, false, null, ""] } }] }],
      ["100 kB", "x".repeat(100_000)],
    ])("returns what it was given: %s", async (_, value) => {
      const handle = await tasks.trigger<typeof echo>("echo", value);
      expect(handle.id).toMatch(/^run_/);
      const run = await runs.poll(handle);
      expect(run).toMatchObject({ id: handle.id, status: "COMPLETED", taskIdentifier: "echo", attemptCount: 1 });
      expect(run.output).toEqual(value);
    });

    test("that fails twice completes on its third attempt", async () => {
      const run = await runs.poll(await tasks.trigger<typeof failing>("failing", { failures: 2 }));
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 3, output: 3 });
    });

    test("that always fails is FAILED after its last attempt, with the error that its code threw", async () => {
      const run = await runs.poll(await tasks.trigger<typeof failing>("failing", { failures: 9 }));
      expect(run).toMatchObject({ status: "FAILED", attemptCount: 3, error: { name: "RangeError", message: "failure 3" } });
      expect(run.output).toBeUndefined();
    });

    test("that throws AbortTaskRunError is not tried again", async () => {
      const run = await runs.poll(await tasks.trigger<typeof aborting>("aborting", undefined));
      expect(run).toMatchObject({ status: "FAILED", attemptCount: 1, error: { message: "no use" } });
    });

    test("one of a thousand, triggered at once, is still one run with its own result", async () => {
      const handles = await Promise.all(Array.from({ length: 1_000 }, (_, i) => tasks.trigger<typeof echo>("echo", i)));
      expect(new Set(handles.map((handle) => handle.id)).size).toBe(1_000);
      const outputs = await Promise.all(handles.map(async (handle) => (await runs.poll(handle)).output));
      expect(outputs).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    });
  });

  describe("a parent", () => {
    test("waits for its child, which waits for its own, deeper than there are slots", async () => {
      expect(await finished("nested", { depth: 9 } satisfies Parameters<(typeof nested)["trigger"]>[0])).toMatchObject({ status: "COMPLETED", output: 45 });
    });

    test("waits for several groups at once, with results in the order of the items", async () => {
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      expect(await finished("fan-out", { numbers } satisfies Parameters<(typeof fanOut)["trigger"]>[0])).toMatchObject({
        status: "COMPLETED",
        output: [...numbers.map((number) => number * 2), 2_000],
      });
    });

    test("sees a failed child as a result, not as an exception", async () => {
      const run = await runs.poll(await tasks.trigger<typeof forgiving>("forgiving", undefined));
      expect(run).toMatchObject({ status: "COMPLETED", output: "child failed: failure 3" });
    });

    test("that does not wait leaves a child behind that runs by itself", async () => {
      const run = await runs.poll(await tasks.trigger<typeof leaving>("leaving", undefined));
      expect(await runs.poll(run.output as string)).toMatchObject({ status: "COMPLETED", output: 42 });
    });
  });

  describe("cancelling", () => {
    test("ends a run at once, and its code", async () => {
      const folder = temporaryFolder();
      const [gate, diary] = [join(folder, "gate"), join(folder, "diary")];
      const handle = await tasks.trigger<typeof gated>("gated", { gate, diary });
      await eventually("the run has started", () => readDiary(diary).length === 1);

      expect(await runs.cancel(handle.id)).toMatchObject({ id: handle.id });
      expect(await runs.retrieve(handle.id)).toMatchObject({ status: "CANCELED" });

      await eventually("its code has heard of it", () => readDiary(diary).some(({ event }) => event === "stop"));

      // The gate opens, and only the next one goes through.
      const next = await tasks.trigger<typeof gated>("gated", { gate, diary });
      await eventually("the next run has started", () => readDiary(diary).some(({ event, runId }) => event === "start" && runId === next.id));
      writeFileSync(gate, "");
      expect(await runs.poll(next)).toMatchObject({ status: "COMPLETED" });
      expect(readDiary(diary).filter((entry) => entry.event === "end")).toEqual([{ event: "end", runId: next.id, attempt: 1 }]);
    });

    test("a finished run changes nothing", async () => {
      const handle = await tasks.trigger<typeof echo>("echo", 1);
      await runs.poll(handle);
      await runs.cancel(handle.id);
      expect(await runs.retrieve(handle.id)).toMatchObject({ status: "COMPLETED", output: 1 });
    });
  });

  describe("a queue", () => {
    test("never runs more at once than its limit, over all workers, and starts them in the order of their triggers", async () => {
      const diary = join(temporaryFolder(), "diary");
      // At once, so that there are always two to be executed, and yet in this order.
      const handles = await Promise.all(Array.from({ length: 12 }, () => tasks.trigger<typeof limited>("limited", { diary, milliseconds: 60 })));
      const ended = await Promise.all(handles.map((handle) => runs.poll(handle)));
      expect(ended.map(({ status }) => status)).toEqual(handles.map(() => "COMPLETED"));

      const entries = readDiary(diary);
      expect(entries).toHaveLength(24);
      expect(mostAtOnce(entries)).toBe(2);
      // As the server says: two that start at the same moment, in two processes, may write in either order, and a slow process later than the next one.
      const started = ended.map(({ startedAt }) => startedAt?.getTime());
      expect(started).toEqual(started.toSorted());
    });
  });
});
