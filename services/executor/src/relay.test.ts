import { createLogger, createMemoryTransport, type InternalTransport, MemoryOwnership, type Served } from "@runlane/platform";
import { ExecutorService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Relay } from "./relay.js";
import { heartbeat, hello, request } from "./testing/frames.js";
import { OwnerDouble } from "./testing/owner-double.js";
import { WorkerDouble } from "./testing/worker-double.js";
import type { WorkerStream } from "./worker-stream.js";

const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });
let transport: InternalTransport;
let directory: MemoryOwnership;
let owner: OwnerDouble;
let relay: Relay;
let served: Served;

beforeEach(setUp);
afterEach(tearDown);

async function setUp(): Promise<void> {
  transport = createMemoryTransport({ logger });
  directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  relay = new Relay({ executor: "executor.n1", streamPrefix: "n1.x", transport, directory, logger, partition: 0 });
  served = await transport.serve("executor.n1", ExecutorService, {
    deliverFrames(frames) {
      relay.deliver(frames);
      return {};
    },
  });
}

async function tearDown(): Promise<void> {
  relay.close();
  await served.close();
  await transport.close();
}

/** A worker that says Hello when it is asked, as the protocol has it, and otherwise what a test lets it say. */
class PoliteWorker extends WorkerDouble {
  readonly stream: WorkerStream;
  #beats = 0;

  constructor() {
    super();
    this.stream = relay.open("dev", this);
    this.stream.onMessage(hello);
  }

  override send(frame: Uint8Array): boolean {
    super.send(frame);
    if (this.heard.at(-1)?.helloAgain) setImmediate(() => this.open && this.stream.onMessage(hello));
    return true;
  }

  beat(): void {
    this.stream.onMessage(heartbeat(++this.#beats));
  }

  get welcomes(): number {
    return this.heard.filter(({ welcome }) => welcome !== undefined).length;
  }

  get answers(): bigint[] {
    return this.heard.flatMap((response) => response.heartbeat?.sequence ?? []);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("frames of all streams of one turn share a call, in their order", async () => {
  await owner.takeOver(1n);
  const workers = [new PoliteWorker(), new PoliteWorker()];
  await vi.waitFor(() => expect(workers.map(({ welcomes }) => welcomes)).toEqual([1, 1]));
  expect(owner.calls.map(({ executor, frames }) => [executor, frames.length])).toEqual([["executor.n1", 2]]);
  for (const worker of [...workers, ...workers]) worker.beat();
  await vi.waitFor(() =>
    expect(workers.map(({ answers }) => answers)).toEqual([
      [1n, 2n],
      [1n, 2n],
    ]),
  );
  expect(owner.calls).toHaveLength(2);
  expect(new Set(owner.calls[1]!.frames.map(({ streamId }) => streamId)).size).toBe(2);
});

test("large frames travel in several calls, none lost and in their order", async () => {
  await owner.takeOver(1n);
  const worker = new PoliteWorker();
  await vi.waitFor(() => expect(worker.welcomes).toBe(1));
  const sizes = [200_000, 200_000, 200_000, 1_000_000, 10];
  for (const size of sizes) worker.stream.onMessage(request({ accepted: [Buffer.alloc(size)] }));
  await vi.waitFor(() => expect(owner.heard).toHaveLength(1 + sizes.length));
  expect(owner.calls.slice(1).map(({ frames }) => frames.length)).toEqual([2, 1, 1, 1]);
  expect(owner.heard.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
});

test("a worker that comes before there is an owner is taken as soon as there is one", async () => {
  const worker = new PoliteWorker();
  worker.beat();
  await turn();
  expect([worker.heard, worker.open]).toEqual([[], true]);
  await owner.takeOver(1n);
  await vi.waitFor(() => expect(worker.welcomes).toBe(1));
});

test("all workers present themselves to a new owner", async () => {
  await owner.takeOver(1n);
  const workers = [new PoliteWorker(), new PoliteWorker(), new PoliteWorker()];
  await vi.waitFor(() => expect(workers.map(({ welcomes }) => welcomes)).toEqual([1, 1, 1]));
  await owner.vanish();
  for (const worker of workers) worker.beat();
  await turn();
  await owner.takeOver(2n);
  await vi.waitFor(() => expect(workers.map(({ welcomes }) => welcomes)).toEqual([2, 2, 2]));
  for (const worker of workers) worker.beat();
  await vi.waitFor(() => expect(workers.map(({ answers }) => answers.at(-1))).toEqual([2n, 2n, 2n]));
});

test("an owner that cannot be reached costs a Hello once it can", async () => {
  await owner.takeOver(1n);
  const worker = new PoliteWorker();
  await vi.waitFor(() => expect(worker.welcomes).toBe(1));
  await owner.vanish();
  worker.beat();
  await turn();
  await owner.takeOver(1n);
  relay.sweep();
  worker.beat();
  await vi.waitFor(() => expect(worker.welcomes).toBe(2));
});

test("a worker that goes away is forgotten, and the owner told", async () => {
  await owner.takeOver(1n);
  const worker = new PoliteWorker();
  await vi.waitFor(() => expect(worker.welcomes).toBe(1));
  worker.stream.onClose();
  expect(relay.size).toBe(0);
  await vi.waitFor(() => expect(owner.heard.at(-1)?.closed).toBe(true));
});

test("workers are told when the executor drains", async () => {
  await owner.takeOver(1n);
  const worker = new PoliteWorker();
  relay.drain("the server is stopping", 500);
  expect(worker.heard.at(-1)?.drain).toMatchObject({ reason: "the server is stopping", gracePeriod: { nanos: 500_000_000 } });
});

test("whatever frames are lost, and however often, no stream is stranded, and none passes a frame behind a gap", async () => {
  await tearDown();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("beat", "lose up", "lose down", "new owner", "no owner"), { maxLength: 40 }), async (steps) => {
      await setUp();
      let epoch = 1n;
      let lose: "up" | "down" | undefined;
      owner.loses = (direction) => {
        if (direction !== lose) return false;
        lose = undefined;
        return true;
      };
      await owner.takeOver(epoch);
      const worker = new PoliteWorker();
      for (const step of steps) {
        if (step === "lose up") lose = "up";
        else if (step === "lose down") lose = "down";
        else if (step === "new owner") await owner.takeOver(++epoch);
        else if (step === "no owner") {
          await owner.resign();
          await turn();
          await owner.takeOver(++epoch);
        }
        worker.beat();
        await turn();
      }
      // Heartbeats come every second and sweeps too: some of them must bring everything back.
      lose = undefined;
      await vi.waitFor(
        async () => {
          relay.sweep();
          worker.beat();
          await turn();
          await turn();
          const last = owner.heartbeats(worker.stream.id).at(-1);
          expect(last).toBeDefined();
          expect(worker.answers.at(-1)).toBe(last);
        },
        { interval: 0, timeout: 30_000 },
      );
      expect(worker.answers).toEqual([...new Set(worker.answers)].sort((a, b) => Number(a - b)));
      await tearDown();
    }),
    { numRuns: 60 },
  );
  await setUp();
});
