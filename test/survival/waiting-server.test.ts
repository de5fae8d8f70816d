import { expect, test } from "vitest";
import { supervisorOf } from "../support/processes.js";
import { TestWorker } from "../support/test-worker.js";
import { MortalServer } from "./mortal-server.js";
import { repeated, WaitingRuns } from "./waiting-runs.js";

// So soon that some waits end while there is no server, or while it starts.
const endMs = [6_500, 8_000] as const;

test("server and nats-server are SIGKILLed while 500 runs wait and some execute: all finish, in the worker that they have, and nothing is done twice", async () => {
  const mortal = await MortalServer.start();
  const worker = new TestWorker(mortal.server, "survival", { concurrency: 100 });
  const runs = new WaitingRuns();
  await runs.begin(mortal.server, endMs);
  const supervisor = supervisorOf(worker.program.pid);

  await mortal.kill();
  await mortal.restart();
  const deeds = await runs.ended();

  expect(supervisorOf(worker.program.pid), worker.program.output).toBe(supervisor);
  expect(repeated(deeds)).toEqual([]);
  expect(new Set(deeds.map(({ attempt }) => attempt))).toEqual(new Set([1]));
});
