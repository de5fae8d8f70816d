import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { refusalStatus } from "../testing/fake-server.js";
import { hex, outputOf } from "../testing/fake-worker-service.js";
import { temporaryFolder, welcomedWorker } from "../testing/test-worker.js";

// A server that stops asks its workers to open their next streams elsewhere: docs/worker-protocol.md, ServerDrain.

test("a worker whose server drains goes on elsewhere with all that it holds: nothing is lost, nothing begins again", async () => {
  const { service, lines } = await welcomedWorker();
  service.givesReceipts = false;
  const gate = join(temporaryFolder(), "gate");
  const running = service.assign("gated", { gate });
  const done = service.assign("echo", 1);
  await service.result(done);
  await service.until(() => service.accepted.includes(hex(running)));
  service.send({ drain: { reason: "the server is stopping" } });

  const hello = await service.hello(2);
  expect(service.streams).toBe(2);
  expect(hello).toMatchObject({ workerId: "worker-1", incarnation: 1n });
  expect(hello.held.map((held) => hex(held.token)).sort()).toEqual([hex(running), hex(done)].sort());
  expect(lines.some((line) => line.includes("asks its workers to connect again"))).toBe(true);

  // What had no receipt is said again; what was on its way ends, and is said once.
  await service.until(() => service.resultsOf(done).length === 2);
  writeFileSync(gate, "");
  expect(outputOf(await service.result(running))).toBe("through");
  service.settle();
  expect(outputOf(await service.result(service.assign("echo", 2)))).toBe(2);
  expect(service.resultsOf(running)).toHaveLength(1);
});

test("a server that drains may refuse the next stream, too: the worker tries again until another takes it", async () => {
  const { service } = await welcomedWorker();
  const running = service.assign("patient");
  await service.until(() => service.accepted.includes(hex(running)));
  let refused = 0;
  service.onFrame = (frame, call) => {
    if (!frame.hello || refused === 2) return false;
    refused += 1;
    call.end(refusalStatus(Code.Unavailable, "the server is stopping", "DRAINING"));
    return true;
  };
  service.send({ drain: { reason: "the server is stopping" } });
  const hello = await service.hello(4);
  expect(refused).toBe(2);
  expect(hello.held.map((held) => hex(held.token))).toEqual([hex(running)]);
});
