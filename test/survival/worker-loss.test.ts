import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { inTime } from "../support/in-time.js";
import { alive, supervisorOf } from "../support/processes.js";
import { RunClient } from "../support/run-client.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { shapes, TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";
import { Beats } from "./beats.js";
import { mostAtOnce } from "./lines.js";

// Parts of a worker that die, for tasks with attempts left. The death of all of it costs a lease: lease.test.ts.

/** From the death of a supervisor until its runs have started again, in milliseconds. */
const supervisorLossMs = 1_500;
/** From the death of a shared runner until the server knows. */
const runnerLossMs = 300;
/** From then until its other runs have started again, each in a new process; on a busy machine. */
const newProcessMs = 3_000;

describe.each(shapes)("in shape %s", (shape) => {
  async function prepare() {
    const server = await TestServer.start({ shape });
    const client = new RunClient(server);
    const beats = new Beats(temporaryFolder());
    const worker = new TestWorker(server, "survival", { concurrency: 50 });
    return { client, beats, worker };
  }

  test("a worker whose supervisor is killed starts its runs again soon, and leaves nothing of the old attempts running", async () => {
    const lossOfSupervisor = async () => {
      const { client, beats, worker } = await prepare();
      const count = 20;
      const runIds = await client.trigger(...Array.from({ length: count }, (_, i) => beats.item("beating", `b${i}`)), beats.item("beating-alone", "alone"));
      const first = await beats.started(count + 1);
      const supervisor = supervisorOf(worker.program.pid);
      if (supervisor === undefined) throw new Error("the worker has no supervisor");

      const killedAt = Date.now();
      process.kill(supervisor, "SIGKILL");
      const second = await beats.started(count + 1, 2);
      const latest = Math.max(...second.map(({ at }) => at)) - killedAt;
      process.stdout.write(`supervisor killed: all started again within ${latest} ms\n`);
      for (const pid of new Set(first.map((entry) => entry.pid))) expect(alive(pid)).toBe(false);

      beats.openGate();
      const ends = await beats.ended(count + 1);
      expect(ends.map((entry) => entry.runId).sort()).toEqual([...runIds].sort());
      expect(ends.every((entry) => entry.attempt === 2)).toBe(true);
      // Never two attempts at once, of any run.
      for (const runId of runIds) expect(mostAtOnce(beats.entries().filter((entry) => entry.runId === runId))).toBe(1);
      for (const runId of runIds) {
        await eventually("the run is completed", async () => (await client.run(runId)).state === RunState.COMPLETED);
      }
      return latest;
    };
    expect(await inTime(supervisorLossMs, lossOfSupervisor)).toBeLessThanOrEqual(supervisorLossMs);
  });

  test("the loss of a shared runner is known at once: runs with attempts left start again, others have crashed", async () => {
    const lossOfRunner = async () => {
      const { client, beats } = await prepare();
      const once = client.triggerAndWait(beats.item("beating-once", "once"));
      const others = await client.trigger(...Array.from({ length: 3 }, (_, i) => beats.item("beating", `b${i}`)));
      const starts = await beats.started(4);
      const pid = starts.find((entry) => entry.payloadId === "once")?.pid ?? 0;
      const lost = starts.filter((entry) => entry.pid === pid && entry.payloadId !== "once").map((entry) => entry.runId);

      const killedAt = Date.now();
      process.kill(pid, "SIGKILL");
      const run = await once;
      const recorded = Date.now() - killedAt;
      expect(run).toMatchObject({ state: RunState.CRASHED, attemptCount: 1, failure: { code: "TASK_PROCESS_MAYBE_OOM_KILLED" } });
      const again = lost.length === 0 ? [] : await beats.started(lost.length, 2);
      const started = again.map(({ at }) => at - killedAt);
      process.stdout.write(
        `shared runner killed: recorded within ${recorded} ms, its ${lost.length} other runs started again within ${started.join(", ")} ms\n`,
      );

      // Each in a process of its own: one of them may have been to blame.
      expect(again.map((entry) => entry.runId).sort()).toEqual([...lost].sort());
      expect(new Set(again.map((entry) => entry.pid)).size).toBe(again.length);
      beats.openGate();
      expect((await beats.ended(others.length)).map((entry) => entry.runId).sort()).toEqual([...others].sort());
      // Of both, by how much they are over, so that one number is to be judged.
      return Math.max(recorded - runnerLossMs, ...started.map((took) => took - newProcessMs));
    };
    expect(await inTime(0, lossOfRunner), "milliseconds over the limits").toBeLessThanOrEqual(0);
  });
});
