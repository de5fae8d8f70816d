import { expect, test } from "vitest";
import { hex } from "../testing/fake-worker-service.js";
import { welcomedWorker } from "../testing/test-worker.js";

test("a worker that leaves declines what was on its way to it, before it ends its stream", async () => {
  const worker = await welcomedWorker({}, { service: { heartbeatMs: 60_000 } });
  const { service, supervisor } = worker;
  let late: Uint8Array | undefined;
  const answer = service.onFrame;
  service.onFrame = (frame, call) => {
    // The owner hears of the drain when an assignment has left already; its answer to the heartbeat comes after that.
    if (frame.drain) late = service.assign("echo", 1);
    return answer?.(frame, call) ?? false;
  };
  await supervisor.drain("the worker is stopping", 0);
  const declined = service.frames.flatMap(({ frame }) => frame.declined.map(({ token }) => hex(token)));
  expect(declined).toEqual([hex(late!)]);
});

test("a worker leaves in the end, even if the server does not answer any more", async () => {
  const { service, supervisor } = await welcomedWorker();
  service.answersHeartbeats = false;
  const from = performance.now();
  await supervisor.drain("the worker is stopping", 0);
  expect(performance.now() - from).toBeLessThan(8_000);
});
