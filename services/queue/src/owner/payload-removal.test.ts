import { createClient } from "@connectrpc/connect";
import { createMemoryTransport, MemoryLog, MemoryOwnership, MemoryPayloadStore, type PayloadStore } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { item } from "../testing/engine-harness.js";
import { FakeClock } from "../testing/fake-clock.js";
import { silentLogger } from "../testing/logger.js";
import { startOwner } from "./owner.js";

const hourMs = 60 * 60_000;
const transport = createMemoryTransport({ logger: silentLogger });
let clock: FakeClock;
let log: MemoryLog;
let ownership: MemoryOwnership;
let payloads: MemoryPayloadStore;
let running: { close(): Promise<void> }[];
beforeEach(() => {
  clock = new FakeClock();
  // The store tells the time of the same day.
  vi.spyOn(Date, "now").mockImplementation(() => clock.now());
  log = new MemoryLog();
  ownership = new MemoryOwnership();
  payloads = new MemoryPayloadStore();
  running = [];
});
afterEach(async () => {
  for (const owner of running) await owner.close();
  vi.restoreAllMocks();
});

async function start(store: PayloadStore = payloads) {
  const handle = startOwner({ partition: 0, nodeId: "node", log, claims: ownership, transport, payloads: store, logger: silentLogger, clock });
  running.push(handle);
  await handle.ready;
  return createClient(OwnerService, transport.to(ownership.current(0)!.address));
}

async function stop(): Promise<void> {
  await running.pop()?.close();
  log = new MemoryLog({ records: log.records });
}

const put = (reference: string) => payloads.put({ environment: "dev", reference }, [Buffer.from("1")]);
const record = (owner: Awaited<ReturnType<typeof start>>, reference: string) => owner.recordPayload({ environment: "dev", reference, sizeBytes: 1n });
const stored = async () => (await payloads.list("dev")).sort();

test("what no run refers to is deleted after an hour; what one refers to stays", async () => {
  const owner = await start();
  for (const reference of ["pay_free", "pay_used"]) {
    await put(reference);
    await record(owner, reference);
  }
  await owner.triggerRuns({ environment: "dev", items: [item("a", { reference: "pay_used" })] });
  clock.advance(hourMs - 1_000);
  expect(await stored()).toEqual(["pay_free", "pay_used"]);
  clock.advance(2_000);
  await vi.waitFor(async () => expect(await stored()).toEqual(["pay_used"]));
});

test("what was dropped and not deleted, because the owner died or the store was away, is deleted by the next owner", async () => {
  class Broken extends MemoryPayloadStore {
    override async remove() {
      throw new Error("the store is away");
    }
  }
  const owner = await start(new Broken());
  await put("pay_1");
  await record(owner, "pay_1");
  clock.advance(2 * hourMs);
  await owner.readTasks({ environment: "dev", limit: 1 });
  expect(await stored()).toEqual(["pay_1"]);
  await stop();
  await start();
  await vi.waitFor(async () => expect(await stored()).toEqual([]));
});

test("what never got a record is deleted by a sweep, once it is older than an hour", async () => {
  await put("pay_old");
  clock.advance(hourMs + 1);
  await put("pay_young");
  await start();
  await vi.waitFor(async () => expect(await stored()).toEqual(["pay_young"]));
  clock.advance(hourMs + 1);
  await vi.waitFor(async () => expect(await stored()).toEqual([]));
});

test("what the log knows survives every sweep and every take-over", async () => {
  const owner = await start();
  await put("pay_1");
  await record(owner, "pay_1");
  await owner.triggerRuns({ environment: "dev", items: [item("a", { reference: "pay_1" })] });
  for (let life = 0; life < 3; life++) {
    await stop();
    clock.advance(3 * hourMs);
    await put("pay_orphan");
    clock.advance(2 * hourMs);
    await start();
    await vi.waitFor(async () => expect(await stored()).toEqual(["pay_1"]));
  }
});
