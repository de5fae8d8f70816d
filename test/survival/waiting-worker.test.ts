import { expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { alive, descendants } from "../support/processes.js";
import { TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";
import { repeated, WaitingRuns } from "./waiting-runs.js";

// One of these ends while the dead worker's lease still lasts, so that its end is sent to nobody; the other when its runs have left that worker.
const endMs = [11_000, 15_000] as const;

test("a worker is SIGKILLed, all of it, while 500 runs wait: all finish on another, and nothing is done twice but steps that were open", async () => {
  const server = await TestServer.start();
  const worker = new TestWorker(server, "survival", { concurrency: 100 });
  const runs = new WaitingRuns();
  await runs.begin(server, endMs);

  const before = runs.deeds().length;
  const family = [worker.program.pid, ...descendants(worker.program.pid)];
  await worker.program.kill();
  await eventually("the worker is gone", () => !family.some(alive));
  new TestWorker(server, "survival", { concurrency: 100 });
  const deeds = await runs.ended();

  expect(deeds.slice(before).filter(({ pid }) => family.includes(pid))).toEqual([]);
  expect(repeated(deeds).sort()).toEqual(runs.open.map((id) => `open of ${id}`).sort());
  // To wait elsewhere costs no attempt; to be lost while a step is open does.
  const attempts = (ids: readonly string[]) => new Set(deeds.filter(({ what, id }) => what === "done" && ids.includes(id)).map(({ attempt }) => attempt));
  expect(attempts(runs.waiting)).toEqual(new Set([1]));
  expect(attempts(runs.open)).toEqual(new Set([2]));
});
