import { runs, tasks } from "@runlane/sdk";
import { expect, test } from "vitest";
import type { apart, initialised, parent, told } from "../fixtures/hooks/trigger/apart.js";
import { eventually } from "../support/eventually.js";
import { ScriptedWorker } from "../support/scripted-worker.js";

// What attempts that share a process know of each other: nothing. And what they know of themselves.
const worker = new ScriptedWorker();

test("locals, metadata and output of two hundred attempts at once, and of the second attempt of each, never mix", async () => {
  const names = Array.from({ length: 200 }, (_, index) => `run-${index}`);
  const handles = await Promise.all(names.map((name) => tasks.trigger<typeof apart>("apart", { name })));
  const ended = await Promise.all(handles.map((handle) => runs.poll(handle)));
  expect(ended.map(({ output }) => output)).toEqual(names.map((name) => ({ seen: [`of ${name}`], steps: ["middleware", "run 2"] })));
  expect(ended.map(({ metadata }) => metadata)).toEqual(names.map((name) => ({ names: [name, name] })));
  const lines = names.flatMap((name, index) => {
    const [id, secondId] = [`[${ended[index]?.id} apart]`, `[${ended[index]?.id} apart #2]`];
    return [`${id} said by ${name}`, `${id} INFO logged by ${name}`, `${secondId} said by ${name}`, `${secondId} INFO logged by ${name}`];
  });
  const printed = () => (worker.worker?.program.stdout ?? "").split("\n").filter((line) => / by run-\d+$/.test(line));
  await eventually("all lines have been printed", () => printed().length >= lines.length);
  expect(printed().toSorted()).toEqual(lines.toSorted());
});

test("ctx is whole, and frozen to its depths", async () => {
  const run = await runs.poll(await tasks.trigger<typeof told>("told", undefined));
  const { frozen, ctx } = run.output!;
  expect(frozen).toBe(true);
  expect(ctx).toMatchObject({
    attempt: { number: 1, startedAt: expect.stringMatching(/Z$/) },
    run: { id: run.id, tags: [], isTest: false, isReplay: false, maxAttempts: 3, version: expect.stringMatching(/^\d{8}\.\d+$/) },
    task: { id: "told", filePath: "trigger/apart.ts" },
    queue: { id: "task/told", name: "task/told" },
    environment: { id: "dev", slug: "dev", type: "DEVELOPMENT" },
    organization: { id: "default" },
    project: { ref: "default" },
    deployment: { runtime: "node", version: ctx.run.version },
  });
});

test("what init hooks return is merged: the config's, then the task's", async () => {
  const diary = worker.diary();
  const run = await runs.poll(await tasks.trigger<typeof initialised>("initialised", { diary, global: true }));
  expect(run.output).toEqual({ from: "task", own: 1 });
  const told = await worker.play("hooked", { global: true, plan: { "config init": { returns: 7 }, init: { returns: ["not an object"] } } });
  expect(told.run).toMatchObject({ status: "COMPLETED" });
});

test.each([
  ["an error with its name, message, stack and cause", "error", { name: "TypeError", message: "outer", cause: { name: "RangeError", message: "inner" } }],
  ["a value that was thrown", "value", { value: { reason: 7 } }],
  ["a failure of Runlane's own by its code", "unwritable", { name: "TASK_OUTPUT_ERROR", message: expect.stringContaining("a getter broke") }],
])("a parent gets %s", async (_, kind, error) => {
  const diary = worker.diary();
  const run = await runs.poll(await tasks.trigger<typeof parent>("parent", { diary, child: "throwing", payload: { kind } }));
  expect(run.output).toMatchObject(error);
  // The frames are the user's; those of the worker are left out.
  const { stack } = run.output as { stack?: string };
  if (kind === "error") {
    expect(stack).toContain("trigger/hooked.ts");
    expect(stack).not.toContain("task-execution");
  }
});
