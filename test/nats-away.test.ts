import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configure, runs, tasks } from "@runlane/sdk";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { expect, onTestFinished, test } from "vitest";
import type { echo } from "./fixtures/tasks/plain.js";
import { eventually } from "./support/eventually.js";
import { suspend } from "./support/processes.js";
import { type Refusal, Stranger } from "./support/stranger.js";
import { shapes, TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

const { triggerTasks } = RunService.method;

function natsPid(server: TestServer): number {
  if (server.three) return server.three.nats.pid;
  return Number(readFileSync(join(server.data, "nats", "nats-server.pid"), "utf8"));
}

test.each(shapes)(
  "in shape %s, while nats-server hangs, triggers are UNAVAILABLE with a delay; once it goes on, so does the server, without a restart",
  async (shape) => {
    const server = await TestServer.start({ shape });
    new TestWorker(server, "tasks");
    configure({ baseURL: server.address, secretKey: server.secretKey });
    const stranger = new Stranger(server.address, server.secretKey);
    const before = await tasks.trigger<typeof echo>("echo", "before");
    await runs.poll(before);

    const nats = natsPid(server);
    await suspend(nats);
    onTestFinished(() => resume(nats));
    const request = { requestId: "while-it-hangs", items: [{ taskId: "echo" }] };
    const refusal = await eventually(
      "a trigger is refused",
      () =>
        stranger.call(triggerTasks, request, 20_000).then(
          () => undefined,
          (refused: Refusal) => refused.code === "UNAVAILABLE" && refused,
        ),
      30_000,
    );
    expect(refusal.retryDelayMs).toBeGreaterThan(0);
    expect(refusal.domain).toBe("runlane.dev");

    // The SDK keeps trying by itself.
    const during = tasks.trigger<typeof echo>("echo", "during");
    resume(nats);
    const after = await eventually("the refused trigger is accepted", () => stranger.call(triggerTasks, request, 20_000), 30_000);
    expect(after.outcomes[0]?.outcome.case).toBe("runId");
    expect(await runs.poll(await during)).toMatchObject({ status: "COMPLETED", output: "during" });
    expect(await runs.retrieve(before.id)).toMatchObject({ status: "COMPLETED", output: "before" });
    expect(server.program.running).toBe(true);
  },
);

test("when nats-server is killed, the server starts it again and goes on with everything it knew", async () => {
  const server = await TestServer.start();
  configure({ baseURL: server.address, secretKey: server.secretKey });
  const waiting = await tasks.trigger<typeof echo>("echo", "waiting");

  const nats = natsPid(server);
  process.kill(nats, "SIGKILL");
  const during = await tasks.trigger<typeof echo>("echo", "during");
  expect(natsPid(server)).not.toBe(nats);

  new TestWorker(server, "tasks");
  for (const [handle, output] of [
    [waiting, "waiting"],
    [during, "during"],
  ] as const) {
    expect(await runs.poll(handle)).toMatchObject({ status: "COMPLETED", output });
  }
  expect(server.program.running).toBe(true);
});

function resume(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has ended meanwhile.
  }
}
