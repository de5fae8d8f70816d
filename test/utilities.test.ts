import { type AnyTask, configure, runs, type TaskIdentifier, type TaskPayload, type TriggerOptions, tasks } from "@runlane/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { chatty, counting, progress, stubborn, tagging } from "./fixtures/utilities/tasks.js";
import { eventually } from "./support/eventually.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

/** What code inside a run can use, on a whole server, with a worker as `runlane worker` starts it. */
let worker: TestWorker;
beforeAll(async () => {
  const server = await TestServer.start({ onCleanUp: afterAll });
  configure({ baseURL: server.address, secretKey: server.secretKey });
  worker = new TestWorker(server, "utilities", { onCleanUp: afterAll });
});

/** Triggers a task and waits for its final run. */
async function finished<TTask extends AnyTask>(id: TTask["id"], payload: TaskPayload<TTask>, options?: TriggerOptions) {
  return runs.poll(await tasks.trigger<TTask>(id as TaskIdentifier<TTask>, payload, options));
}

describe("metadata", () => {
  test("of a trigger is there in the run, changes with it, and is shown as it was left", async () => {
    const run = await finished<typeof progress>("progress", {}, { metadata: { given: [1], at: new Date(0) }, tags: ["a", "b"] });
    const after = { given: [1], at: "1970-01-01T00:00:00.000Z", step: 200, steps: 200, place: { name: "step 200" }, log: ["attempt 1"] };
    expect(run).toMatchObject({ status: "COMPLETED", tags: ["a", "b"], metadata: after });
    expect(run.output).toEqual({ before: { given: [1], at: after.at }, after, tags: ["a", "b"] });
  });

  test("stays from attempt to attempt, also of one that fails", async () => {
    const run = await finished<typeof progress>("progress", { failures: 1 });
    expect(run.metadata).toMatchObject({ step: 200, steps: 400, log: ["attempt 1", "attempt 2"] });
    expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
  });

  test("of a parent gets every increment of its children", async () => {
    const run = await finished<typeof counting>("counting", { children: 40 });
    expect(run.output).toBe(80);
    expect(run.metadata).toMatchObject({ status: "waiting", done: 80, total: 40, children: Array.from({ length: 40 }, () => 2) });
  });

  test("is seen by who follows the run, while it runs", async () => {
    const handle = await tasks.trigger("progress", {});
    const seen: unknown[] = [];
    for await (const run of runs.subscribeToRun(handle.id)) seen.push(run.metadata);
    expect(seen.at(-1)).toMatchObject({ steps: 200 });
  });
});

describe("tags", () => {
  test("are added, ten at most, while ctx stays as it was; runs are found by them", async () => {
    const mine = `mine-${Date.now()}`;
    const run = await finished<typeof tagging>(
      "tagging" as never,
      Array.from({ length: 12 }, (_, i) => `tag-${i}`),
      { tags: mine },
    );
    expect(run.output).toEqual([mine]);
    expect(run.tags).toEqual([mine, "in-the-run", ...Array.from({ length: 8 }, (_, i) => `tag-${i}`)]);
    const listed = async (tag: string) => (await runs.list({ tag })).data.map(({ id }) => id);
    await eventually("the run is listed", async () => (await listed(mine)).length === 1);
    expect(await listed(mine)).toEqual([run.id]);
    expect(await listed("tag-7")).toEqual([run.id]);
    expect(await listed("tag-9")).toEqual([]);
  });
});

test("retry.onThrow tries again within an attempt, and usage measures it", async () => {
  const run = await finished<typeof stubborn>("stubborn", undefined);
  expect(run).toMatchObject({ attemptCount: 1, output: { tried: [1, 2, 3], result: "done", took: true, attempt: true } });
});

test("what runs print is never mixed, and every line says whose it is", async () => {
  const names = ["one", "two", "three", "four"];
  const handles = await Promise.all(names.map(async (name) => ({ name, ...(await tasks.trigger<typeof chatty>("chatty", { name })) })));
  await Promise.all(handles.map((handle) => runs.poll(handle.id)));
  const lines = () => worker.program.output.split("\n").filter((line) => line.includes(" chatty] "));
  await eventually("all has been printed", () => lines().filter((line) => line.includes("INFO outer: ")).length === names.length);
  for (const { id, name } of handles) {
    const label = `[${id} chatty] `;
    const own = lines().flatMap((line) => (line.startsWith(label) ? line.slice(label.length) : []));
    expect(own.slice(0, 40)).toEqual(Array.from({ length: 20 }, (_, i) => [`${name}-${i}=${i}`, `${name}=${i}`]).flat());
    expect(own.some((line) => /^INFO outer > inner: [\d.]+ ms user\.name=\w+$/.test(line))).toBe(true);
  }
});
