import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import {
  createMemoryTransport,
  type InternalTransport,
  LogFull,
  MemoryLog,
  MemoryOwnership,
  type MemoryRecords,
  type OwnerDirectory,
  reasonOf,
} from "@runlane/platform";
import { ExecutorService, type NotifyRequest, OwnerService, SubscriberService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type Run, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { WorkRequestSchema, type WorkResponse, WorkResponseSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import { item } from "../testing/engine-harness.js";
import { inlineHistory } from "../testing/inline-history.js";
import { silentLogger } from "../testing/logger.js";
import { type OwnerHandle, startOwner } from "./owner.js";

/** A node: an owner over a log, and a scheduler and an executor that listen. */
class Node {
  readonly transport: InternalTransport = createMemoryTransport({ logger: silentLogger });
  readonly ownership = new MemoryOwnership();
  readonly directory: OwnerDirectory = this.ownership;
  readonly log: MemoryLog;
  readonly handle: OwnerHandle;
  readonly notices: NotifyRequest[] = [];
  readonly frames: WorkResponse[] = [];
  readonly ends: { reason: string; code: number }[] = [];
  #sequence = 0n;

  constructor(options: { records?: MemoryRecords; onAppend?: () => void | Promise<void> } = {}) {
    this.log = new MemoryLog(options);
    const history = inlineHistory(this.log);
    this.handle = startOwner({ partition: 0, nodeId: "node", log: this.log, claims: this.ownership, transport: this.transport, history, logger: silentLogger });
  }

  async begin(): Promise<void> {
    await this.transport.serve("subscriber.test", SubscriberService, {
      notify: (request) => {
        this.notices.push(request);
        return {};
      },
    });
    await this.transport.serve("executor.test", ExecutorService, {
      deliverFrames: ({ frames }) => {
        for (const { frame, end } of frames) {
          if (end) this.ends.push(end);
          else this.frames.push(fromBinary(WorkResponseSchema, frame));
        }
        return {};
      },
    });
    await this.handle.ready;
  }

  get owner(): Client<typeof OwnerService> {
    return createClient(OwnerService, this.transport.to(this.directory.current(0)!.address));
  }

  /** Sends a worker's frame, with the next sequence unless told otherwise. */
  async relay(streamId: string, frame: Parameters<typeof create<typeof WorkRequestSchema>>[1], sequence?: bigint): Promise<void> {
    const hello = frame !== undefined && "hello" in frame && frame.hello !== undefined;
    this.#sequence = sequence ?? (hello ? 1n : this.#sequence + 1n);
    const bytes = toBinary(WorkRequestSchema, create(WorkRequestSchema, frame));
    await this.owner.relayFrames({
      executor: "executor.test",
      frames: [{ streamId, sequence: this.#sequence, environment: hello ? "dev" : "", frame: bytes }],
    });
  }

  hello(streamId: string, held: { token: Uint8Array }[] = [], incarnation = 1n): Promise<void> {
    return this.relay(streamId, { hello: { protocolRevision: 1, workerId: "w", incarnation, slots: 10, buildId: "b", tasks: [{ id: "a" }], held } });
  }

  assignments() {
    return this.frames.flatMap((frame) => frame.assignments);
  }

  /** Runs one run through a worker. */
  async complete(output = '"done"'): Promise<string> {
    const { outcomes } = await this.owner.triggerRuns({ environment: "dev", requestId: "", items: [item("a")] });
    const runId = outcomes[0]!.outcome.value as string;
    const token = await vi.waitFor(() => {
      const found = this.assignments().find((assignment) => assignment.runId === runId);
      expect(found).toBeDefined();
      return found!.token;
    });
    await this.relay("s1", { results: [{ token, outcome: { case: "output", value: { data: new TextEncoder().encode(output) } } }] });
    await vi.waitFor(() => expect(this.frames.flatMap((frame) => frame.receipts)).toContainEqual(expect.objectContaining({ token })));
    return runId;
  }

  async readRun(runId: string): Promise<Run> {
    const { run } = await this.owner.readRun({ environment: "dev", runId });
    return run!;
  }
}

const nodes: Node[] = [];
const start = async (options: ConstructorParameters<typeof Node>[0] = {}) => {
  const node = new Node(options);
  nodes.push(node);
  await node.begin();
  return node;
};

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.handle.close();
});

describe("an owner", () => {
  it("takes a run from trigger to result, and tells who waits", async () => {
    const node = await start();
    await node.hello("s1");
    const { outcomes } = await node.owner.triggerRuns({
      environment: "dev",
      requestId: "r",
      items: [item("a")],
      awaitResults: [0],
      subscriber: "subscriber.test",
    });
    const runId = outcomes[0]!.outcome.value as string;
    await vi.waitFor(() => expect(node.assignments()).toHaveLength(1));
    await node.relay("s1", { results: [{ token: node.assignments()[0]!.token, outcome: { case: "output", value: { data: new TextEncoder().encode("7") } } }] });
    await vi.waitFor(() => expect(node.notices.flatMap((notice) => notice.results).map((result) => result.runId)).toEqual([runId]));
    expect(await node.readRun(runId)).toMatchObject({ state: RunState.COMPLETED, attemptCount: 1, version: expect.stringMatching(/^\d{8}\.1$/) });
  });

  it("knows after a crash everything that it acknowledged, and answers a repeated request as before", async () => {
    const before = await start();
    const { outcomes } = await before.owner.triggerRuns({ environment: "dev", requestId: "r", items: [item("a"), item("b")] });
    const after = await start({ records: before.log.copy() });
    const again = await after.owner.triggerRuns({ environment: "dev", requestId: "r", items: [item("a"), item("b")] });
    expect(again.outcomes).toEqual(outcomes);
    expect((await after.readRun(outcomes[0]!.outcome.value as string)).state).toBe(RunState.PENDING_VERSION);
  });

  it("starts nothing twice while its worker lives: what the worker holds after a crash, it keeps", async () => {
    const before = await start();
    await before.hello("s1");
    await before.owner.triggerRuns({ environment: "dev", requestId: "r", items: [item("a")] });
    await vi.waitFor(() => expect(before.assignments()).toHaveLength(1));
    const { token } = before.assignments()[0]!;
    // The crash comes before the acceptance is on disk.
    const after = await start({ records: before.log.copy() });
    await after.hello("s2", [{ token }]);
    await vi.waitFor(() => expect(after.frames[0]?.welcome).toBeDefined());
    expect([after.frames[0]?.lost, after.assignments()]).toEqual([[], []]);
    await after.relay("s2", { results: [{ token, outcome: { case: "output", value: { data: new TextEncoder().encode("1") } } }] });
    await vi.waitFor(() => expect(after.frames.flatMap((frame) => frame.receipts)).toHaveLength(1));
  });

  it("loses its log to another owner, drops everything, and comes back", async () => {
    const node = await start();
    const first = node.directory.current(0)!;
    const rival = new MemoryLog({ records: node.log.records });
    const record = node.log.records.records[0]!;
    await rival.append(await rival.last(), record);
    const lost = node.owner.triggerRuns({ environment: "dev", requestId: "r", items: [item("a")] }).catch((error: unknown) => reasonOf(error));
    expect(await lost).toBe("NOT_OWNER");
    await vi.waitFor(() => expect(node.directory.current(0)?.epoch).toBeGreaterThan(first.epoch));
    const { outcomes } = await node.owner.triggerRuns({ environment: "dev", requestId: "r", items: [item("a")] });
    expect(outcomes).toHaveLength(1);
  });

  it("asks for a Hello when a frame was lost, and strands nothing", async () => {
    const node = await start();
    await node.hello("s1");
    await node.relay("s1", { heartbeat: { sequence: 1n } }, 3n);
    await vi.waitFor(() => expect(node.frames.some((frame) => frame.helloAgain)).toBe(true));
    await node.hello("s1");
    await node.complete();
  });

  it("ends a stream whose frames it cannot read, and says why", async () => {
    const node = await start();
    await node.owner.relayFrames({
      executor: "executor.test",
      frames: [{ streamId: "bad", sequence: 1n, environment: "dev", frame: new Uint8Array([255, 255]) }],
    });
    await vi.waitFor(() => expect(node.ends[0]).toMatchObject({ reason: "MALFORMED_FRAME", code: 3 }));
  });

  it("reads a run that memory has forgotten from the log, as it was", async () => {
    const node = await start();
    await node.hello("s1");
    const runId = await node.complete();
    const remembered = await node.readRun(runId);
    for (let i = 0; i < 41; i++) {
      const { outcomes } = await node.owner.triggerRuns({ environment: "dev", requestId: "", items: Array.from({ length: 500 }, () => item("other")) });
      const cancels = outcomes.map((outcome) => node.owner.stopRun({ environment: "dev", runId: outcome.outcome.value as string, reason: "test" }));
      await Promise.all(cancels);
    }
    expect(await node.readRun(runId)).toEqual(remembered);
    expect(await node.owner.stopRun({ environment: "dev", runId, reason: "late" }).catch((error: unknown) => reasonOf(error))).toBe("RUN_FINISHED");
    await node.owner.watchRuns({ environment: "dev", subscriber: "subscriber.test", results: [runId] });
    await vi.waitFor(() => expect(node.notices.flatMap((notice) => notice.results).map((result) => result.runId)).toEqual([runId]));
  });

  it("refuses writes with LOG_FULL while the store is full, goes on answering reads, and recovers by itself", async () => {
    let full = false;
    const node = await start({
      onAppend: () => {
        if (full) throw new LogFull("no room");
      },
    });
    await node.hello("s1");
    const done = await node.complete();
    const trigger = (requestId: string) => node.owner.triggerRuns({ environment: "dev", requestId, items: [item("unknown")] });
    const waiting = (await trigger("before")).outcomes[0]!.outcome.value as string;
    full = true;
    const refused = (call: Promise<unknown>) => call.then(() => "taken", reasonOf);
    for (const id of ["first", "second"]) expect(await refused(trigger(id))).toBe("LOG_FULL");
    expect(await refused(node.owner.stopRun({ environment: "dev", runId: waiting, reason: "test" }))).toBe("LOG_FULL");
    expect((await node.readRun(done)).state).toBe(RunState.COMPLETED);
    expect((await node.readRun(waiting)).state).toBe(RunState.PENDING_VERSION);
    expect((await node.owner.readTasks({ environment: "dev", limit: 10 })).tasks).toHaveLength(1);
    full = false;
    await vi.waitFor(async () => expect(await refused(trigger("second"))).toBe("taken"), { timeout: 30_000 });
    await node.complete();
  });

  it("says RUN_NOT_FOUND of ids that no run has", async () => {
    const node = await start();
    for (const runId of ["run_", "run_test000000001", "nonsense"]) {
      expect(await node.owner.readRun({ environment: "dev", runId }).catch((error: unknown) => reasonOf(error))).toBe("RUN_NOT_FOUND");
    }
    expect((await node.owner.watchRuns({ environment: "dev", subscriber: "subscriber.test", results: ["run_nope"] })).unknownRunIds).toEqual(["run_nope"]);
  });
});
