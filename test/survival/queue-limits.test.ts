import { join } from "node:path";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { jsonPayload } from "../support/json-payload.js";
import { descendants, supervisorOf } from "../support/processes.js";
import { RunClient } from "../support/run-client.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";
import { mostOf, Stamps, stampOf } from "./stamps.js";

/** How many runs each limit has to hold under: in all 5,000. */
const share: ReadonlyMap<number, number> = new Map([
  [1, 300],
  [2, 700],
  [10, 4_000],
]);
const most = 500;

test("limits of 1, 2 and 10 hold under 5,000 runs while workers are killed, by what the tasks write down", async () => {
  const server = await TestServer.start();
  const client = new RunClient(server);
  const stamps = new Stamps(join(temporaryFolder(), "stamps"));
  const workers = [1, 2].map(() => new TestWorker(server, "survival", { concurrency: 20, env: { EXECUTIONS: stamps.file } }));
  const runIds: string[] = [];
  for (const [limit, count] of share) {
    const items = Array.from({ length: count }, (_, i) => ({ taskId: `limit-${limit}`, payload: jsonPayload({ id: `${limit}.${i}` }) }));
    for (let from = 0; from < count; from += most) runIds.push(...(await client.trigger(...items.slice(from, from + most))));
  }

  let killed = 0;
  for (const [kill, whole] of [true, false, true].entries()) {
    // In the course of the runs, not of time.
    await eventually(`${1 + kill * 1_200} runs have ended`, () => stamps.ended().size > kill * 1_200);
    const launcher = workers[kill % 2]?.program.pid ?? 0;
    killed += await eventually("a worker is killed in the middle of attempts", async () => {
      const supervisor = supervisorOf(launcher);
      if (supervisor === undefined) return undefined;
      const runners = descendants(supervisor);
      if (whole) return (await stamps.kill([supervisor, ...runners])) || undefined;
      for (const runner of runners) {
        const count = await stamps.kill([runner]);
        if (count > 0) return count;
      }
      return undefined;
    });
  }
  await eventually("all runs have ended", () => stamps.ended().size === runIds.length, 60_000);

  expect([...stamps.ended()].sort()).toEqual([...runIds].sort());
  // Reached, and never exceeded.
  for (const limit of share.keys()) expect(mostOf(`limit-${limit}`, stamps.read()), `of limit ${limit}`).toBe(limit);
  // What was killed started again, under the same number if its acceptance had not left so far.
  const starts = stamps.read().flatMap((stamp) => (stamp.event === "start" ? [stamp.runId] : []));
  const again = starts.filter((runId, index) => starts.indexOf(runId) < index);
  expect(again.length).toBeGreaterThanOrEqual(killed);
  for (const runId of new Set(again)) await eventually(`run ${runId} is completed`, async () => (await client.run(runId)).state === RunState.COMPLETED);
});

test("the judge of limits sees attempts end with their process, and not before", () => {
  const lines = ["start run_1 1 t p1 77 1", "start run_2 1 t p2 78 2", "kill 77", "start run_1 2 t p1 78 3", "end run_2 1 t p2 78 4", "end run_1 2 t p1 78 5"];
  expect(mostOf("t", lines.map(stampOf))).toBe(2);
  expect(mostOf("t", lines.filter((line) => line !== "kill 77").map(stampOf))).toBe(3);
  expect(mostOf("other", lines.map(stampOf))).toBe(0);
});
