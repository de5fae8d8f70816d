import { writeFileSync } from "node:fs";
import { runs } from "@runlane/sdk";
import { describe, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { alive } from "../support/processes.js";
import { linesOf, ScriptedWorker } from "../support/scripted-worker.js";

// What a task hears when its run is cancelled. The run is CANCELED at once; its code goes on, and writes into its diary.
const worker = new ScriptedWorker();

/** Cancels a run once its code runs, and waits until the diary says that its code has ended. */
async function cancel(task: string, payload: Record<string, unknown>, last: string) {
  const { id, diary } = await worker.begin(task, payload);
  await worker.written(diary, "run");
  await runs.cancel(id);
  await worker.written(diary, last);
  return { diary, run: await runs.poll(id) };
}

describe.concurrent("a run that is cancelled", () => {
  test("hears onCancel with its signal aborted, and none of the hooks for success and failure", async ({ expect }) => {
    const { diary, run } = await cancel("canceled", { run: "stops" }, "tm-after");
    expect(linesOf(diary)).toEqual(["run", "cancel true run cancelled", "cancel", "run stopped: run cancelled", "cleanup", "tm-after"]);
    expect(run).toMatchObject({ status: "CANCELED", attemptCount: 1 });
  });

  test("hears them no less if run returns", async ({ expect }) => {
    const { diary, run } = await cancel("canceled", { run: "returns" }, "tm-after");
    expect(linesOf(diary)).toEqual(["run", "cancel true run cancelled", "cancel", "run stopped: run cancelled", "cleanup", "tm-after"]);
    expect(run.status).toBe("CANCELED");
    expect(run.output).toBeUndefined();
  });

  test.for([
    ["returns", "came to early"],
    ["stops", "came to AbortError"],
  ])("can wait for what run comes to: it %s", async ([how, came], { expect }) => {
    const { diary } = await cancel("canceled", { run: how, plan: { await: { returns: true } } }, "tm-after");
    expect(linesOf(diary)).toEqual(["run", "cancel true run cancelled", "cancel", "run stopped: run cancelled", came, "cleanup", "tm-after"]);
  });

  test("may still change tags and metadata", async ({ expect }) => {
    const { run } = await cancel("telling", {}, "cleanup");
    const told = { status: "CANCELED", tags: ["stopped"], metadata: { rows: 12, undone: true } };
    await eventually("all that it told is known", async () => JSON.stringify((await runs.retrieve(run.id)).metadata) === JSON.stringify(told.metadata));
    expect(await runs.retrieve(run.id)).toMatchObject(told);
  });

  test("may take longer than a second for its onCancel, also while run is deaf to its signal", async ({ expect }) => {
    const { diary } = await cancel("canceled-apart", { run: "is deaf", plan: { cancel: { takes: 2_500 } } }, "cancel ended");
    const [, pid, ...lines] = linesOf(diary);
    expect(lines).toEqual(["cancel true run cancelled", "cancel", "cancel ended"]);
    await eventually("the process of the deaf code has been ended", () => !alive(Number(pid)));
  });

  test("may have its run go on meanwhile", async ({ expect }) => {
    const gate = worker.diary();
    const payload = { run: "hears late", gate, plan: { cancel: { takes: 1_500 }, await: { returns: true } } };
    const { id, diary } = await worker.begin("canceled-apart", payload);
    await worker.written(diary, "run");
    await runs.cancel(id);
    await worker.written(diary, "cancel ended");
    writeFileSync(gate, "");
    await worker.written(diary, "tm-after");
    expect(linesOf(diary).slice(2)).toEqual(["cancel true run cancelled", "cancel", "cancel ended", "run ended", "came to late", "cleanup", "tm-after"]);
  });

  test("is cleaned up after also if onCancel throws", async ({ expect }) => {
    const { diary } = await cancel("canceled", { run: "stops", plan: { cancel: "throw" } }, "tm-after");
    expect(linesOf(diary)).toEqual(["run", "cancel true run cancelled", "cancel", "run stopped: run cancelled", "cleanup", "tm-after"]);
  });

  test("hears of hooks for all tasks first", async ({ expect }) => {
    const { diary } = await cancel("canceled", { run: "stops", global: true }, "gm1-after");
    expect(linesOf(diary).filter((line) => /^(g )?cancel/.test(line))).toEqual(["g cancel", "cancel true run cancelled", "cancel"]);
  });

  test("hears what it registered itself", async ({ expect }) => {
    const { diary } = await cancel("undoing", {}, "undone");
    expect(linesOf(diary)).toEqual(["run", "undone"]);
  });

  test("hears nothing if it had not started", async ({ expect }) => {
    const first = await worker.begin("alone", {});
    await worker.written(first.diary, "run");
    const second = await worker.begin("alone", {});
    await runs.cancel(second.id);
    await runs.cancel(first.id);
    await worker.written(first.diary, "cancel");
    await eventually("both are final", async () => (await runs.poll(second.id)).status === "CANCELED");
    expect(linesOf(second.diary)).toEqual([]);
  });
});
