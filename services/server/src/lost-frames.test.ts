import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { startExecutor } from "@runlane/executor";
import { createAuthenticator, createLogger, createMemoryTransport, MemoryLog, MemoryOwnership, startGrpcServer } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { startOwner } from "@runlane/queue";
import { expect, onTestFinished, test, vi } from "vitest";
import { type LossyTransport, lossyTransport } from "./testing/lossy-transport.js";
import { WorkerDouble } from "./testing/worker-double.js";

// Owner and executor as they are, and between them a network that loses what is sent one way. What is lost must be found and made good, and nothing must run twice for it.
const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });
const secretKey = "rl_dev_test";

/** Owner, executor and their port for workers. */
async function startStage(loses: (method: string) => boolean) {
  const network = lossyTransport(createMemoryTransport({ logger }), loses);
  const ownership = new MemoryOwnership();
  const room = { nodeId: "node", transport: network, logger };
  // Appends take as long as on a disk: much happens while one is under way.
  const log = new MemoryLog({ onAppend: () => sleep(1) });
  const owner = startOwner({ ...room, partition: 0, log, claims: ownership });
  const executor = await startExecutor({ ...room, directory: ownership, sweepIntervalMs: 20 });
  const authenticate = createAuthenticator([{ key: secretKey, environment: "dev" }]);
  const listener = await startGrpcServer({ listen: "127.0.0.1:0", services: executor.services, authenticate, logger });
  onTestFinished(async () => {
    await listener.close();
    await executor.close();
    await owner.close();
    await network.close();
  });
  await owner.ready;
  const address = ownership.current(0)?.address;
  if (address === undefined) throw new Error("nobody owns the partition");
  return { network, address: listener.address, owner: createClient(OwnerService, network.to(address)) };
}

function startWorkers(address: string, count: number): WorkerDouble[] {
  return Array.from({ length: count }, (_, i) => {
    const worker = new WorkerDouble({ address, secretKey, workerId: `worker-${i}`, slots: 20, heartbeatMs: 30 });
    onTestFinished(() => worker.close());
    return worker;
  });
}

/** Loses every call of each method whose number is a multiple of `every`. */
function everyOne(every: number): (method: string) => boolean {
  const counts = new Map<string, number>();
  return (method) => {
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    return count % every === 0;
  };
}

const lossOf = (network: LossyTransport) => [network.lost.get("RelayFrames") ?? 0, network.lost.get("DeliverFrames") ?? 0];

test.each([
  ["every 17th call", everyOne(17)],
  ["every 6th call", everyOne(6)],
  ["one call of eight, by chance,", () => Math.random() < 1 / 8],
] as const)("%s between owner and executor is lost, both ways: every run completes, and its code runs once", async (_, loses) => {
  const { network, address, owner } = await startStage(loses);
  const workers = startWorkers(address, 2);
  const items = Array.from({ length: 150 }, (_, i) => ({ taskId: i % 3 === 0 ? "parent" : "leaf" }));
  const runIds: string[] = [];
  for (let from = 0; from < items.length; from += 20) {
    const { outcomes } = await owner.triggerRuns({ environment: "dev", requestId: `r${from}`, items: items.slice(from, from + 20) });
    for (const { outcome } of outcomes) if (outcome.case === "runId") runIds.push(outcome.value);
    await sleep(2);
  }
  expect(runIds).toHaveLength(items.length);

  const open = new Set(runIds);
  await vi.waitFor(
    async () => {
      for (const runId of open) {
        const { run } = await owner.readRun({ environment: "dev", runId });
        if (run?.state === RunState.COMPLETED) open.delete(runId);
        else throw new Error(`${open.size} runs are open; ${runId} is ${RunState[run?.state ?? 0]}, ${PendingReason[run?.pendingReason ?? 0]}`);
      }
    },
    { timeout: 30_000, interval: 50 },
  );
  // Receipts were lost as well.
  await vi.waitFor(() => expect(workers.map((worker) => worker.heldCount)).toEqual([0, 0]), { timeout: 30_000 });

  const started = workers.flatMap((worker) => worker.started);
  const children = 2 * items.filter((item) => item.taskId === "parent").length;
  expect(started).toHaveLength(items.length + children);
  expect(new Set(started).size).toBe(started.length);
  expect(workers.map((worker) => worker.ended)).toEqual([undefined, undefined]);
  // Heartbeats go on being lost.
  await vi.waitFor(() => {
    for (const lost of lossOf(network)) expect(lost).toBeGreaterThan(0);
    expect(workers.every((worker) => worker.hellos > 1)).toBe(true);
  });
});

test("nothing is lost: nobody is asked for a second Hello", async () => {
  const { network, address, owner } = await startStage(() => false);
  const [worker] = startWorkers(address, 1);
  const items = Array.from({ length: 100 }, () => ({ taskId: "leaf" }));
  await owner.triggerRuns({ environment: "dev", requestId: "r", items });
  await vi.waitFor(() => expect([worker?.started.length, worker?.heldCount]).toEqual([100, 0]));
  expect(worker?.hellos).toBe(1);
  expect(lossOf(network)).toEqual([0, 0]);
});
