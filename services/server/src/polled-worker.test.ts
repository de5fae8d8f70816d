import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { type Executor, startExecutor } from "@runlane/executor";
import { createAuthenticator, createLogger, createMemoryTransport, MemoryLog, MemoryOwnership, startGrpcServer } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { startOwner } from "@runlane/queue";
import { ResultDisposition } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { expect, onTestFinished, test, vi } from "vitest";
import { lossyTransport } from "./testing/lossy-transport.js";
import { PollingWorker, type PollingWorkerOptions } from "./testing/polling-worker.js";

// Owner and executor as they are; the worker makes unary calls only.
const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });
const secretKey = "rl_dev_test";

async function startStage(loses: (method: string) => boolean = () => false) {
  const transport = lossyTransport(createMemoryTransport({ logger }), loses);
  const ownership = new MemoryOwnership();
  const owner = startOwner({ nodeId: "node", transport, logger, partition: 0, log: new MemoryLog(), claims: ownership });
  const authenticate = createAuthenticator([{ key: secretKey, environment: "dev" }]);
  let executor: Executor | undefined;
  let listener: Awaited<ReturnType<typeof startGrpcServer>> | undefined;
  let lives = 0;
  const start = async (port: number) => {
    executor = await startExecutor({ nodeId: `node${++lives}`, transport, logger, directory: ownership, sweepIntervalMs: 20 });
    listener = await startGrpcServer({ listen: `127.0.0.1:${port}`, services: executor.services, authenticate, logger });
    return listener;
  };
  const stop = async () => {
    await listener?.close();
    await executor?.close();
  };
  const { address, port } = await start(0);
  onTestFinished(async () => {
    await stop();
    await owner.close();
    await transport.close();
  });
  await owner.ready;
  const client = createClient(OwnerService, transport.to(ownership.current(0)!.address));
  return {
    trigger: async (count: number) => {
      const { outcomes } = await client.triggerRuns({ environment: "dev", requestId: "", items: Array.from({ length: count }, () => ({ taskId: "t" })) });
      return outcomes.map(({ outcome }) => (outcome.case === "runId" ? outcome.value : expect.unreachable("refused")));
    },
    stateOf: async (runId: string) => (await client.readRun({ environment: "dev", runId })).run?.state,
    cancel: (runId: string) => client.stopRun({ environment: "dev", runId, reason: "test" }),
    /** Another executor at the same address, which knows nothing of the first one's streams. */
    restartExecutor: async () => {
      await stop();
      await start(port);
    },
    work(options: Pick<PollingWorkerOptions, "run"> & Partial<PollingWorkerOptions>) {
      const worker = new PollingWorker({ address, secretKey, workerId: "w", ...options });
      onTestFinished(() => worker.close());
      return worker;
    },
  };
}

type Stage = Awaited<ReturnType<typeof startStage>>;

async function completed(stage: Stage, runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) await vi.waitFor(async () => expect(await stage.stateOf(runId)).toBe(RunState.COMPLETED), { timeout: 30_000 });
}

test("a worker that polls runs tasks, within its slots", async () => {
  const stage = await startStage();
  const runIds = await stage.trigger(40);
  let running = 0;
  let most = 0;
  const worker = stage.work({
    run: async () => {
      most = Math.max(most, ++running);
      await sleep(5);
      running -= 1;
    },
  });
  await completed(stage, runIds);
  await vi.waitFor(() => expect(worker.heldCount).toBe(0), { timeout: 30_000 });
  expect(worker.started.sort()).toEqual(runIds.sort());
  expect(most).toBeLessThanOrEqual(5);
  expect(worker.hellos).toBe(1);
  expect(new Set(worker.receipts)).toEqual(new Set([ResultDisposition.RECORDED]));
});

test("lost responses lose nothing, and start nothing twice", async () => {
  const stage = await startStage();
  const runIds = await stage.trigger(40);
  // Of each method every third, whatever the order in which they come.
  const calls = { poll: 0, reportResults: 0 };
  const worker = stage.work({ run: () => sleep(2), loses: (method) => ++calls[method] % 3 === 0 });
  await completed(stage, runIds);
  await vi.waitFor(() => expect(worker.heldCount).toBe(0), { timeout: 30_000 });
  expect(worker.started.sort()).toEqual(runIds.sort());
  // Of a report whose answer was lost, the repetition finds that it was recorded before.
  expect(worker.receipts).toContain(ResultDisposition.STALE);
});

test("lost frames between executor and owner, and lost responses besides, lose nothing, and start nothing twice", async () => {
  let frames = 0;
  let calls = 0;
  const stage = await startStage(() => ++frames % 11 === 0);
  const runIds = await stage.trigger(40);
  const worker = stage.work({ run: () => sleep(2), loses: () => ++calls % 7 === 0 });
  await completed(stage, runIds);
  await vi.waitFor(() => expect(worker.heldCount).toBe(0), { timeout: 30_000 });
  expect(worker.started.sort()).toEqual(runIds.sort());
  // It goes on polling, and so frames go on being lost.
  await vi.waitFor(() => expect(worker.hellos).toBeGreaterThan(1));
});

test("attempts survive that the executor is replaced by one that knows nothing", async () => {
  const stage = await startStage();
  const runIds = await stage.trigger(8);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const worker = stage.work({ run: () => released });
  await vi.waitFor(() => expect(worker.started).toHaveLength(5));
  const before = worker.streamId;
  await stage.restartExecutor();
  await vi.waitFor(() => expect([worker.hellos, worker.streamId === before]).toEqual([2, false]), { timeout: 30_000 });
  release();
  await completed(stage, runIds);
  expect(worker.started.sort()).toEqual(runIds.sort());
});

test("a cancelled run's code is told, and its end confirmed", async () => {
  const stage = await startStage();
  const [runId] = (await stage.trigger(1)) as [string];
  const worker = stage.work({ run: (_, signal) => sleep(60_000, undefined, { signal }) });
  await vi.waitFor(async () => expect(await stage.stateOf(runId)).toBe(RunState.EXECUTING));
  await stage.cancel(runId);
  await vi.waitFor(() => expect(worker.heldCount).toBe(0), { timeout: 30_000 });
  expect(worker.receipts).toEqual([ResultDisposition.RECORDED]);
  expect(await stage.stateOf(runId)).toBe(RunState.CANCELED);
});

test("stale tokens are refused by their receipts, and change nothing", async () => {
  const stage = await startStage();
  const runIds = await stage.trigger(1);
  let token: Uint8Array | undefined;
  const worker = stage.work({
    run: async (assignment) => {
      token = assignment.token;
    },
  });
  await completed(stage, runIds);
  const { streamId } = worker;
  const { receipts } = await worker.client.reportResults({ streamId, results: [{ token: token! }, { token: Buffer.alloc(24, 7) }] });
  expect(receipts.map(({ disposition }) => disposition)).toEqual([ResultDisposition.STALE, ResultDisposition.STALE]);
});
