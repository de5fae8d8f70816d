import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Log, MemoryLog, reasonOf } from "@runlane/platform";
import { AwaitChangesRequestSchema, FindRunsRequestSchema, PageSide } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { DebounceMode, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RunView } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { expect, onTestFinished, test, vi } from "vitest";
import { runIdOf } from "../engine/run-id.js";
import { encodedLog } from "../testing/encoded-log.js";
import { EngineHarness, item } from "../testing/engine-harness.js";
import { silentLogger } from "../testing/logger.js";
import { Projection } from "./projection.js";

/** An engine, its log, and the history that follows it. */
class Stage {
  readonly harness = new EngineHarness();
  readonly log = new MemoryLog();
  projection!: Projection;
  #written = 0;

  static async start(file = ":memory:"): Promise<Stage> {
    const stage = new Stage();
    stage.projection = await Projection.open({ file, log: stage.log, logger: silentLogger });
    return stage;
  }

  /** Brings what the engine has decided to the log and, unless told otherwise, to history. Returns the last sequence. */
  async commit(feeds = true): Promise<number> {
    const records = encodedLog(this.harness.log);
    for (; this.#written < records.length; this.#written++) {
      const record = records[this.#written]!;
      await this.log.append(this.#written, record);
      if (feeds) this.projection.take(this.#written + 1, record);
    }
    return this.#written;
  }

  id(number: number): string {
    return runIdOf(this.harness.environment, number);
  }

  find(request: MessageInitShape<typeof FindRunsRequestSchema>) {
    return this.projection.find(create(FindRunsRequestSchema, { environment: "dev", limit: 100, ...request }));
  }

  changes(request: MessageInitShape<typeof AwaitChangesRequestSchema>) {
    return this.projection.awaitChanges(create(AwaitChangesRequestSchema, { environment: "dev", stream: "s", ...request }));
  }
}

const states = (runs: readonly { state: RunState }[]) => runs.map(({ state }) => RunState[state]);

test("what is asked for is there, also if the log must be read for it, and a call waits for the position that it names", async () => {
  const stage = await Stage.start();
  stage.harness.trigger("a", 3);
  const last = await stage.commit(false);
  stage.projection.know(last);
  const { runs } = await stage.find({ logSequence: BigInt(last) });
  expect(runs.map(({ id }) => id)).toEqual([3, 2, 1].map((number) => stage.id(number)));
  expect(states(runs)).toEqual(["PENDING_VERSION", "PENDING_VERSION", "PENDING_VERSION"]);
});

test("before it has the log up to where the owner began, history refuses instead of saying that something is missing; later, that it is behind", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const stage = await Stage.start();
  stage.harness.trigger("a");
  await stage.commit();
  stage.projection.begin(99);
  const refused = stage.projection.read("dev", stage.id(1), 0).catch(reasonOf);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await refused).toBe("HISTORY_REBUILDING");
  const other = await Stage.start();
  other.harness.trigger("a");
  await other.commit();
  const behind = other.find({ logSequence: 50n }).catch(reasonOf);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await behind).toBe("HISTORY_BEHIND");
});

test("a page is the runs next to its pivot, on either side, with or without it", async () => {
  const stage = await Stage.start();
  for (let i = 0; i < 10; i++) {
    stage.harness.now += 1_000;
    stage.harness.trigger(i % 2 ? "odd" : "even");
  }
  await stage.commit();
  const numbers = async (request: MessageInitShape<typeof FindRunsRequestSchema>) => {
    const { runs, more } = await stage.find(request);
    return [...runs.map(({ id }) => Number.parseInt(id.slice(-2), 32)), more];
  };
  expect(await numbers({ limit: 3 })).toEqual([10, 9, 8, true]);
  expect(await numbers({ limit: 3, pivotRunId: stage.id(3), side: PageSide.OLDER })).toEqual([2, 1, false]);
  expect(await numbers({ limit: 3, pivotRunId: stage.id(3), side: PageSide.OLDER, withPivot: true })).toEqual([3, 2, 1, false]);
  expect(await numbers({ limit: 3, pivotRunId: stage.id(3), side: PageSide.NEWER })).toEqual([6, 5, 4, true]);
  expect(await numbers({ limit: 3, pivotRunId: stage.id(9), side: PageSide.NEWER })).toEqual([10, false]);
  const filter = { taskIds: ["odd", "none"], states: [RunState.PENDING_VERSION, RunState.FAILED] };
  expect(await numbers({ limit: 2, filter })).toEqual([10, 8, true]);
  expect(await numbers({ limit: 9, filter: { ...filter, runIds: [stage.id(4), stage.id(5), "run_x"] } })).toEqual([4, false]);
  expect(await numbers({ filter: { states: [RunState.FAILED] } })).toEqual([false]);
  expect(await numbers({ filter: { queues: ["task/even"] }, limit: 1 })).toEqual([9, true]);
  expect(await numbers({ filter: { parentRunId: stage.id(1) } })).toEqual([false]);
  const time = (number: number) => ({ seconds: BigInt((stage.harness.run(number).createMs / 1_000) | 0), nanos: 0 });
  expect(await numbers({ filter: { createTimeFrom: time(4), createTimeTo: time(6) } })).toEqual([6, 5, 4, false]);
  expect(await numbers({ filter: { createTimeTo: time(2), taskIds: ["even"] } })).toEqual([1, false]);
});

test("a page ends before it grows too large", async () => {
  const stage = await Stage.start();
  stage.harness.trigger("a", 8);
  for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) Object.assign(stage.harness.run(number).payload as object, { data: new Uint8Array(100_000) });
  await stage.commit();
  expect(await stage.find({ view: RunView.FULL })).toMatchObject({ runs: { length: 5 }, more: true });
  expect(await stage.find({ view: RunView.BASIC })).toMatchObject({ runs: { length: 8 }, more: false });
});

test("a stream tells the present, then what changes, and nothing of others; a run that changed often comes once", async () => {
  const stage = await Stage.start();
  stage.harness.trigger("a", 2);
  await stage.commit();
  const open = {
    watches: [
      { id: 7, runIds: [stage.id(1), "run_none"] },
      { id: 8, filter: { states: [RunState.EXECUTING] }, view: RunView.BASIC },
    ],
  };
  const first = await stage.changes({ open });
  expect(first.unknownRunIds).toEqual(["run_none"]);
  expect(first.changes.map(({ run, watchIds }) => [run?.id, RunState[run!.state], watchIds])).toEqual([[stage.id(1), "PENDING_VERSION", [7]]]);

  const waiting = stage.changes({ cursor: first.cursor, waitMs: 10_000 });
  const worker = stage.harness.connect({ id: "w", tasks: ["a"], slots: 10 });
  worker.accept();
  await stage.commit();
  const second = await waiting;
  expect(second.changes.map(({ run, watchIds }) => [run?.id, RunState[run!.state], watchIds])).toEqual([
    [stage.id(1), "EXECUTING", [7, 8]],
    [stage.id(2), "EXECUTING", [8]],
  ]);
  expect(second.changes.map(({ run }) => run?.payload !== undefined)).toEqual([true, false]);
});

test("whoever goes on from a cursor hears of everything since, in whatever parts it comes, and also from a history that was made anew", async () => {
  const stage = await Stage.start();
  stage.harness.trigger("a", 3_000);
  await stage.commit();
  const open = { watches: [{ id: 1, filter: {} }] };
  const { cursor } = await stage.changes({ open });
  stage.harness.connect({ id: "w", tasks: ["a"], slots: 1 });
  stage.harness.trigger("b", 1_000);
  await stage.commit();
  const anew = await Projection.open({ file: ":memory:", log: stage.log, logger: silentLogger });
  anew.know(await stage.log.last());
  for (const projection of [stage.projection, anew]) {
    stage.projection = projection;
    const told = new Set<string>();
    let at = cursor;
    for (let call = 0; told.size < 4_000; call++) {
      const logSequence = BigInt(await stage.log.last());
      const { changes, cursor: next } = await stage.changes({ ...(call % 3 ? {} : { open: { ...open, logSequence } }), cursor: at });
      expect(changes.length).toBeGreaterThan(0);
      for (const { run } of changes) told.add(run!.id);
      at = next;
    }
    expect((await stage.changes({ cursor: at })).changes).toEqual([]);
  }
});

test("a cursor of another log, and a stream that is not known, are told so", async () => {
  const stage = await Stage.start();
  const last = await stage.commit();
  const open = { watches: [{ id: 1, filter: {} }] };
  expect(await stage.changes({ open, cursor: "else.1.1" }).catch(reasonOf)).toBe("CURSOR_OUT_OF_RANGE");
  expect(await stage.changes({ open, cursor: `test.${(last + 2).toString(36)}.0` }).catch(reasonOf)).toBe("CURSOR_OUT_OF_RANGE");
  expect(await stage.changes({ stream: "other" }).catch(reasonOf)).toBe("WATCH_UNKNOWN");
});

test.each([
  ["goes on where it was, if the log does", async (log: Log) => log, 1],
  ["begins anew if the log is another one", async () => otherLog(), 0],
  ["begins anew if the file is damaged", damaged, 1],
])("a history that is opened again %s", async (_, logOf, count) => {
  const folder = mkdtempSync(join(tmpdir(), "runlane-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "runs.db");
  const stage = await Stage.start(file);
  stage.harness.trigger("a");
  await stage.commit();
  stage.projection.close();
  const log = await logOf(stage.log, file);
  stage.projection = await Projection.open({ file, log, logger: silentLogger });
  onTestFinished(() => stage.projection.close());
  stage.projection.know(await log.last());
  expect((await stage.find({ logSequence: BigInt(await log.last()) })).runs).toHaveLength(count);
});

async function damaged(log: Log, file: string): Promise<Log> {
  writeFileSync(file, "no database");
  return log;
}

/** As long as the first, and with other records. */
async function otherLog(): Promise<Log> {
  const harness = new EngineHarness(2);
  harness.advance(1_000);
  harness.connect({ id: "w", tasks: ["b"] });
  const log = new MemoryLog();
  for (const [index, record] of encodedLog(harness.log).entries()) await log.append(index, record);
  return log;
}

test("runs are found by their batch, and as tests, however the row was written", async () => {
  const stage = await Stage.start();
  const { batch } = stage.harness.batch([item("a"), item("a", { test: true }), item("a", { version: "20200101.1" })], { seal: true });
  stage.harness.trigger("a", 1, { test: true });
  await stage.commit();
  const ids = async (filter: NonNullable<MessageInitShape<typeof FindRunsRequestSchema>["filter"]>) => (await stage.find({ filter })).runs.map(({ id }) => id);
  const batchIds = [batch!.batchId];
  expect(await ids({ batchIds })).toEqual([3, 2, 1].map((number) => stage.id(number)));
  expect(await ids({ batchIds, test: true })).toEqual([stage.id(2)]);
  expect(await ids({ test: true })).toEqual([stage.id(4), stage.id(2)]);
  expect(await ids({ batchIds: ["batch_of another"] })).toEqual([]);
  expect(states((await stage.find({ filter: { batchIds } })).runs)).toEqual(["SYSTEM_FAILURE", "PENDING_VERSION", "PENDING_VERSION"]);
});

test("a trigger that a delayed run collects takes the place of its data, of its tags too, in rows that are written already", async () => {
  const stage = await Stage.start();
  const trigger = (payload: string, tag: string) =>
    stage.harness.triggerItems([item("a", { payload, tags: [tag], debounce: { key: "d", delayMs: 10_000, mode: DebounceMode.TRAILING } })]);
  trigger("1", "one");
  await stage.commit();
  expect((await stage.find({ filter: { tags: ["one"] } })).runs).toHaveLength(1);
  trigger("2", "two");
  trigger("3", "three");
  await stage.commit();
  const found = await Promise.all(["one", "two", "three"].map(async (tag) => (await stage.find({ view: RunView.FULL, filter: { tags: [tag] } })).runs));
  expect(found.map((runs) => runs.map(({ payload }) => new TextDecoder().decode(payload?.data)))).toEqual([[], [], ["3"]]);
});
