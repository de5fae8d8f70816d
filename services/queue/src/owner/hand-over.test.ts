import { createClient } from "@connectrpc/connect";
import { createMemoryTransport, MemoryLog, MemoryOwnership, reasonOf } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { expect, test, vi } from "vitest";
import { item } from "../testing/engine-harness.js";
import { silentLogger } from "../testing/logger.js";
import { type OwnerState, startOwner } from "./owner.js";

const transport = createMemoryTransport({ logger: silentLogger });

/** A replica of the queue, on a log that all replicas share. */
function replica(nodeId: string, log: MemoryLog, ownership: MemoryOwnership) {
  const states: OwnerState[] = [];
  const handle = startOwner({ partition: 0, nodeId, log, claims: ownership, transport, logger: silentLogger, onState: (state) => states.push(state) });
  const owner = () => createClient(OwnerService, transport.to(ownership.current(0)?.address ?? "nobody"));
  return { handle, states, owner };
}

const trigger = { environment: "dev", requestId: "r", items: [item("a")] };

test("of two replicas one serves and one waits; when the first stops, what it was asked is answered and on disk, and the other serves at once", async () => {
  const ownership = new MemoryOwnership();
  let release = () => {};
  let held = Promise.resolve();
  const log = new MemoryLog({ onAppend: () => held });
  const first = replica("first", log, ownership);
  await first.handle.ready;
  const second = replica("second", new MemoryLog({ records: log.records }), ownership);
  expect(second.states).toEqual(["waiting"]);

  const owner = first.owner();
  held = new Promise((resolve) => {
    release = resolve;
  });
  const asked = owner.triggerRuns(trigger);
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  const closing = first.handle.close();
  // It serves nobody else from now on, although its last append is still on its way.
  expect(await owner.triggerRuns({ ...trigger, requestId: "late" }).catch(reasonOf)).toBe("NOT_OWNER");
  expect(second.states).toEqual(["waiting"]);
  release();
  const { outcomes } = await asked;
  await closing;
  await second.handle.ready;
  expect(first.states).toEqual(["waiting", "taking over", "serving", "closed"]);
  expect(second.states).toEqual(["waiting", "taking over", "serving"]);
  expect((await second.owner().triggerRuns(trigger)).outcomes).toEqual(outcomes);
  await second.handle.close();
});

test("a log that hangs keeps no replica from stopping", async () => {
  vi.useFakeTimers();
  try {
    const ownership = new MemoryOwnership();
    let hangs = false;
    const log = new MemoryLog({ onAppend: () => (hangs ? new Promise<never>(() => {}) : undefined) });
    const only = replica("only", log, ownership);
    await vi.runAllTimersAsync();
    await only.handle.ready;
    hangs = true;
    const asked = only.owner().triggerRuns(trigger).catch(reasonOf);
    const closing = only.handle.close();
    await vi.advanceTimersByTimeAsync(2_500);
    await closing;
    expect(await asked).toMatch(/NOT_OWNER|LOG_UNAVAILABLE/);
    expect(ownership.current(0)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});
