import { type Client, createClient } from "@connectrpc/connect";
import { createMemoryTransport, MemoryLog, MemoryOwnership, type MemoryRecords, MemorySnapshotStore } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { History } from "../history/history.js";
import { type OwnerHandle, type OwnerOptions, type OwnerState, startOwner } from "../owner/owner.js";
import { item } from "../testing/engine-harness.js";
import { FakeClock } from "../testing/fake-clock.js";
import { InlineSnapshots } from "../testing/inline-snapshots.js";
import { recordingLogger } from "../testing/recording-logger.js";

/** A snapshot is due after so many events, in these tests. */
const every = 10;
const patience = { timeout: 20_000 };

interface Disk {
  readonly records?: MemoryRecords;
  readonly store?: MemorySnapshotStore;
  readonly clock?: FakeClock;
}

/** An owner that writes snapshots, on a disk that may have been another's. */
class Node {
  readonly log: MemoryLog;
  readonly snapshots: InlineSnapshots;
  readonly clock: FakeClock;
  readonly lines: Record<string, unknown>[];
  readonly states: OwnerState[] = [];
  readonly handle: OwnerHandle;
  readonly #transport;
  readonly #ownership = new MemoryOwnership();

  constructor({ records, store, clock }: Disk, options: Partial<OwnerOptions> = {}) {
    this.log = new MemoryLog(records ? { records } : {});
    this.snapshots = new InlineSnapshots(this.log, store);
    this.clock = clock ?? new FakeClock();
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.#transport = createMemoryTransport({ logger });
    this.handle = startOwner({
      partition: 0,
      nodeId: "node",
      log: this.log,
      claims: this.#ownership,
      transport: this.#transport,
      snapshots: this.snapshots,
      snapshotRules: { events: every, bytes: 1_000_000 },
      clock: this.clock,
      logger,
      onState: (state) => this.states.push(state),
      ...options,
    });
  }

  get owner(): Client<typeof OwnerService> {
    return createClient(OwnerService, this.#transport.to(this.#ownership.current(0)!.address));
  }

  /** Makes runs, each in an append of its own. Returns their ids. */
  async trigger(count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const { outcomes } = await this.owner.triggerRuns({ environment: "dev", requestId: "", items: [item("a")] });
      ids.push(outcomes[0]!.outcome.value as string);
    }
    return ids;
  }

  /** Makes runs until `count` snapshots have been written. */
  async triggerUntil(count: number): Promise<string[]> {
    const ids: string[] = [];
    while (this.snapshots.written.length < count) {
      ids.push(...(await this.trigger(1)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(this.said("a snapshot is written")).toHaveLength(count), patience);
    return ids;
  }

  async knows(ids: readonly string[]): Promise<void> {
    for (const runId of ids) expect((await this.owner.readRun({ environment: "dev", runId })).run?.id).toBe(runId);
  }

  said(message: string): Record<string, unknown>[] {
    return this.lines.filter(({ msg }) => msg === message);
  }

  /** What SIGKILL would leave, and a snapshot store in which nothing changes any more. */
  disk(): Required<Pick<Disk, "records" | "store">> {
    return { records: this.log.copy(), store: this.snapshots.store };
  }
}

const nodes: Node[] = [];
const start = async (disk: Disk = {}, options: Partial<OwnerOptions> = {}) => {
  const node = new Node(disk, options);
  nodes.push(node);
  await node.handle.ready;
  return node;
};
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.handle.close();
});

/** Snapshots that a store holds, the oldest first. */
const names = (store: MemorySnapshotStore) => [...store.chunks.keys()];

describe("an owner with snapshots", () => {
  it("purges its log up to the older of the last two, and the next owner knows all that was acknowledged", async () => {
    const node = await start();
    const ids = await node.triggerUntil(4);
    ids.push(...(await node.trigger(3)));
    expect(names(node.snapshots.store)).toHaveLength(2);
    expect(await node.log.first()).toBe(node.snapshots.written[2]!.sequence);
    const after = await start(node.disk());
    await after.knows(ids);
    expect(after.said("partition served")).toMatchObject([{ snapshot: node.snapshots.written[3]!.sequence }]);
    expect(new Set([...ids, ...(await after.trigger(20))]).size).toBe(ids.length + 20);
  });

  it("purges nothing as long as one snapshot is all there is", async () => {
    const node = await start();
    await node.triggerUntil(1);
    expect(await node.log.first()).toBe(1);
  });

  it("goes on from the older snapshot where the newest is damaged, and says so", async () => {
    const node = await start();
    const ids = await node.triggerUntil(3);
    await node.handle.close();
    const disk = node.disk();
    const newest = names(disk.store).at(-1)!;
    disk.store.chunks.get(newest)!.at(-1)![40]! ^= 1;
    const after = await start(disk);
    await after.knows(ids);
    expect(after.said("a snapshot cannot be used; what came before it is tried")).toMatchObject([{ snapshot: newest }]);
    // The next snapshot takes its place, once the owner has settled.
    after.clock.advance(10_000);
    await after.triggerUntil(1);
    expect(names(disk.store)).not.toContain(newest);
    await (await start(after.disk())).knows(ids);
  });

  it("replays the whole log where it is whole and no snapshot can be read", async () => {
    const node = await start();
    const ids = await node.triggerUntil(1);
    await node.handle.close();
    const disk = node.disk();
    disk.store.chunks.get(names(disk.store)[0]!)!.pop();
    const after = await start(disk);
    await after.knows(ids);
    expect(after.said("partition served")).toMatchObject([{ snapshot: 0 }]);
  });

  it("does not serve where the log is purged and no snapshot can be read, and says what is missing", async () => {
    const node = await start();
    await node.triggerUntil(3);
    await node.handle.close();
    const { records } = node.disk();
    const after = new Node({ records });
    nodes.push(after);
    await vi.waitFor(() => expect(after.said("the partition could not be taken over; trying again")).not.toHaveLength(0), patience);
    const [{ err } = {}] = after.said("the partition could not be taken over; trying again");
    expect(err).toMatchObject({ type: "StateIncomplete", message: expect.stringContaining(`begins at record ${records.first}, and there is no snapshot`) });
    expect(after.states).not.toContain("serving");
  });

  it("does not use a snapshot of another log, or of one that had more", async () => {
    const node = await start();
    await node.triggerUntil(1);
    await node.handle.close();
    const { store } = node.disk();
    const clock = new FakeClock();
    clock.advance(1);
    const other = await start({ store, clock });
    expect(other.said("the log ends before a snapshot that was made of it: it has lost records that were acknowledged")).toHaveLength(1);
    const ids = await other.triggerUntil(1);
    await (await start(other.disk())).knows(ids);
  });

  it("sweeps what was half written", async () => {
    const store = new MemorySnapshotStore();
    store.chunks.set("3-dead", [Uint8Array.of(1)]);
    const node = await start({ store });
    await node.triggerUntil(1);
    expect(names(store)).toHaveLength(1);
    expect(names(store)).not.toContain("3-dead");
  });

  it("tries again a minute after a snapshot that could not be written, and the log keeps what it has", async () => {
    const store = new MemorySnapshotStore();
    const put = vi.spyOn(store, "put").mockRejectedValueOnce(new Error("no room"));
    const node = await start({ store });
    await node.trigger(every + 1);
    await vi.waitFor(() => expect(node.said("a snapshot could not be written; trying again in a minute")).toHaveLength(1), patience);
    await node.trigger(every);
    expect(put).toHaveBeenCalledTimes(1);
    node.clock.advance(60_000);
    await node.triggerUntil(1);
    expect(put).toHaveBeenCalledTimes(2);
  });
});

describe("what the log keeps", () => {
  const historyAt = (position: () => number): History => ({
    begin: () => {},
    feed: () => {},
    tail: 0,
    secure: async () => position(),
    find: () => Promise.reject(new Error("not asked")),
    awaitChanges: () => Promise.reject(new Error("not asked")),
    read: () => Promise.reject(new Error("not asked")),
    close: async () => {},
  });

  it("is all that history has not brought to the disk", async () => {
    let position = 5;
    const node = await start({}, { history: historyAt(() => position) });
    await node.triggerUntil(4);
    expect(await node.log.first()).toBe(5);
    position = Number.MAX_SAFE_INTEGER;
    await node.triggerUntil(5);
    expect(await node.log.first()).toBe(node.snapshots.written[3]!.sequence);
  });

  it("is all that is younger than was asked for", async () => {
    const node = await start({}, { snapshotRules: { events: every, bytes: 1_000_000, keepLogMs: 3_600_000 } });
    await node.triggerUntil(3);
    expect(await node.log.first()).toBe(1);
    node.clock.advance(1_800_000);
    const young = node.log.records.records.length + 1;
    await node.triggerUntil(5);
    node.clock.advance(1_800_001);
    await node.triggerUntil(7);
    expect(await node.log.first()).toBe(young);
  });
});
