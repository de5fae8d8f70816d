import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TriggerItemSchema } from "#gen/runlane/v1/run_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import { refusalStatus } from "../testing/fake-server.js";
import { createConnectionSource } from "./connection-source.js";
import { TriggerStream } from "./trigger-stream.js";

/** What may happen to a frame that reaches the server. */
const fate = fc.constantFrom(
  "answered",
  // The connection breaks before the server has done anything.
  "cut",
  // It breaks when the runs exist, and their answer is lost.
  "answer lost",
  // The server refuses it for the time being.
  "refused",
);

/** One call: how many triggers in a turn, and whether their results are awaited. */
const turn = fc.record({ triggers: fc.integer({ min: 1, max: 700 }), awaitsResult: fc.boolean() });

test("whatever the network and the server do, each trigger is heard of once, and happens once", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 8 }), fc.array(turn, { minLength: 1, maxLength: 4 }), async (fates, turns) => {
      const service = new FakeRunService();
      const server = await service.start();
      const backoff = { next: () => 5, reset: () => {} };
      const stream = new TriggerStream(
        createConnectionSource(() => ({ address: server.address, secretKey: "k" })),
        { backoff },
      );
      service.onFrame = (frame, call) => {
        const next = fates.shift() ?? "answered";
        if (next === "answered") return false;
        if (next === "answer lost") service.trigger(frame);
        if (next === "refused") {
          call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, error: refusalStatus(Code.Unavailable, "not now", "OVERLOADED", 1) } } });
        } else {
          server.cut();
        }
        return true;
      };
      const heard = new Map<string, string[]>();
      const pending: Promise<void>[] = [];
      let count = 0;
      for (const { triggers, awaitsResult } of turns) {
        for (let index = 0; index < triggers; index++) {
          const taskId = `task-${count++}`;
          const events: string[] = [];
          heard.set(taskId, events);
          pending.push(
            new Promise((resolve) => {
              const hear = (event: string, last: boolean) => {
                events.push(event);
                if (last) resolve();
              };
              stream.trigger(create(TriggerItemSchema, { taskId }), {
                awaitsResult,
                triggered: (runId) => hear(`triggered ${service.runs.get(runId)?.item.taskId}`, !awaitsResult),
                finished: (result) => hear(`finished ${result.taskId}`, true),
                failed: (error) => hear(`failed ${error}`, true),
              });
            }),
          );
        }
        await new Promise(setImmediate);
      }
      await Promise.all(pending);
      const awaiting = turns.flatMap(({ triggers, awaitsResult }) => Array<boolean>(triggers).fill(awaitsResult));
      for (const [index, [taskId, events]] of [...heard].entries()) {
        expect(events).toEqual(awaiting[index] ? [`triggered ${taskId}`, `finished ${taskId}`] : [`triggered ${taskId}`]);
      }
      expect([...service.runs.values()].map((run) => run.item.taskId).sort()).toEqual([...heard.keys()].sort());
      for (const frame of service.frames) {
        const first = service.frames.find((other) => other.requestId === frame.requestId)!;
        expect(Buffer.compare(frame.bytes, first.bytes)).toBe(0);
      }
      stream.close();
      await server.stop();
    }),
    { numRuns: 25 },
  );
});
