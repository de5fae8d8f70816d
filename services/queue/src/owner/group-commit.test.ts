import { fromBinary } from "@bufbuild/protobuf";
import { LogFull, MemoryLog, reasonOf } from "@runlane/platform";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { describe, expect, it, vi } from "vitest";
import { decideTrigger } from "../engine/decide-trigger.js";
import { createDurable } from "../engine/durable.js";
import { environmentCreated } from "../engine/events.js";
import type { Outbox } from "../engine/outbox.js";
import { emit, type Step } from "../engine/step.js";
import { createVolatile } from "../engine/volatile.js";
import { item } from "../testing/engine-harness.js";
import { FakeClock } from "../testing/fake-clock.js";
import { GroupCommit } from "./group-commit.js";

function setup(onAppend?: (expected: number, record: Uint8Array) => void | Promise<void>) {
  const clock = new FakeClock();
  const log = new MemoryLog(onAppend ? { onAppend } : {});
  const durable = createDurable();
  const delivered: Outbox[] = [];
  const lost = vi.fn();
  const commit = new GroupCommit({
    log,
    epoch: 0n,
    clock,
    durable,
    volatile: createVolatile(),
    deliver: (outbox) => delivered.push(outbox),
    committed: () => {},
    lost,
  });
  commit.decide(0, (step) => emit(step, environmentCreated("dev", "test")));
  const trigger = (bytes = 2) =>
    commit.decide(bytes, (step: Step) => {
      const one = item("a");
      if (one.payload) one.payload.data = new Uint8Array(bytes);
      step.outbox.notice("subscriber", 1);
      return decideTrigger(step, { environment: durable.environments.get("dev")!, requestId: "", items: [one] });
    });
  return { clock, log, durable, delivered, lost, commit, trigger };
}

const eventsIn = (record: Uint8Array | undefined) => {
  const entry = record && fromBinary(LogRecordSchema, record).record;
  return entry?.case === "batch" ? entry.value.events.map(({ event }) => event.case) : [];
};

describe("group commit", () => {
  it("writes what is decided in one turn as one record", async () => {
    const { commit, log, trigger } = setup();
    trigger();
    trigger();
    await commit.settled();
    expect(await log.last()).toBe(1);
    expect(eventsIn(await log.at(1))).toEqual(["environmentCreated", "runsCreated", "runsCreated"]);
  });

  it("lets nothing leave before its record is on disk, and goes on deciding meanwhile", async () => {
    let write: () => void = () => {};
    const { commit, log, delivered, trigger } = setup(() => new Promise<void>((resolve) => (write = resolve)));
    trigger();
    const first = commit.settled();
    let done = false;
    void first.then(() => (done = true));
    await new Promise<void>((resolve) => setImmediate(resolve));
    trigger();
    expect([done, delivered.length, await log.last()]).toEqual([false, 0, 0]);
    write();
    await first;
    expect(delivered).toHaveLength(1);
    await new Promise<void>((resolve) => setImmediate(resolve));
    write();
    await commit.settled();
    expect(delivered).toHaveLength(2);
  });

  it("seals a batch by its bytes, and keeps the order", async () => {
    const { commit, log, trigger } = setup();
    for (let i = 0; i < 5; i++) trigger(100 * 1024);
    await commit.settled();
    for (let sequence = 1; sequence <= (await log.last()); sequence++) expect((await log.at(sequence))?.length).toBeLessThan(512 * 1024);
    expect(await log.last()).toBeGreaterThan(2);
  });

  it("answers reads at once when everything is on disk", async () => {
    const { commit, log } = setup();
    await commit.settled();
    const before = await log.last();
    await commit.settled();
    expect(await log.last()).toBe(before);
  });

  it("refuses with LOG_UNAVAILABLE while the log does not answer, and goes on by itself when it does", async () => {
    let write: () => void = () => {};
    const { commit, clock, delivered, trigger } = setup(() => new Promise<void>((resolve) => (write = resolve)));
    trigger();
    const waiting = commit.settled();
    const refused = waiting.catch((error: unknown) => reasonOf(error));
    await new Promise<void>((resolve) => setImmediate(resolve));
    clock.advance(1_500);
    expect(await refused).toBe("LOG_UNAVAILABLE");
    expect(reasonOf(commit.refusal)).toBe("LOG_UNAVAILABLE");
    write();
    await vi.waitFor(() => expect(commit.refusal).toBeUndefined());
    expect(delivered).toHaveLength(1);
  });

  it("refuses with LOG_FULL while the store is full, and appends the same record when there is room", async () => {
    let full = true;
    const { commit, clock, log, trigger } = setup(() => {
      if (full) throw new LogFull("full");
    });
    trigger();
    expect(await commit.settled().catch((error: unknown) => reasonOf(error))).toBe("LOG_FULL");
    full = false;
    clock.advance(500);
    await vi.waitFor(() => expect(commit.refusal).toBeUndefined());
    expect(eventsIn(await log.at(1))).toEqual(["environmentCreated", "runsCreated"]);
  });

  it("drops everything when another writer has the log", async () => {
    const { commit, log, delivered, lost, trigger } = setup();
    await new MemoryLog({ records: log.records }).append(0, new Uint8Array([1]));
    trigger();
    expect(await commit.settled().catch((error: unknown) => reasonOf(error))).toBe("NOT_OWNER");
    expect(lost).toHaveBeenCalledOnce();
    expect(delivered).toEqual([]);
    expect(reasonOf(commit.refusal)).toBe("NOT_OWNER");
  });

  it("drops everything when a decision breaks", () => {
    const { commit, lost } = setup();
    const breaking = () =>
      commit.decide(0, () => {
        throw new Error("broken");
      });
    expect(breaking).toThrow("broken");
    expect(lost).toHaveBeenCalledOnce();
  });
});
