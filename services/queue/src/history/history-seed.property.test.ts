import { create, toJson } from "@bufbuild/protobuf";
import { MemoryLog, MemorySnapshotStore } from "@runlane/platform";
import { FindRunsRequestSchema } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { PendingReason, RunSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import { runMessageOf } from "../engine/view.js";
import { writeSnapshot } from "../snapshot/write-snapshot.js";
import { encodedLog } from "../testing/encoded-log.js";
import { EngineHarness, replayed } from "../testing/engine-harness.js";
import { silentLogger } from "../testing/logger.js";
import { happening, RandomWorld } from "../testing/random-world.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { openHistoryDatabase } from "./history-database.js";
import { seedHistory } from "./history-seed.js";
import { Projection, type ProjectionOptions } from "./projection.js";
import { Reducer } from "./reducer.js";
import { addBodies, basicRun } from "./run-message.js";

/** All but what only the owner knows: why a run does not execute now. */
const compared = (run: Parameters<typeof toJson<typeof RunSchema>>[1]) => toJson(RunSchema, { ...run, pendingReason: PendingReason.UNSPECIFIED });

it("a history that missed a part of the log, and goes on from a snapshot, shows every run that the owner knows as the owner does, and none that may have ended", () => {
  fc.assert(
    fc.property(fc.array(happening, { minLength: 10, maxLength: 120 }), fc.integer(), fc.nat(), fc.nat(), (happenings, seed, one, other) => {
      const harness = new EngineHarness(seed);
      const world = new RandomWorld(harness);
      for (const each of happenings) world.happen(each);
      const records = encodedLog(harness.log);
      const [missed, snapshot] = [one % (records.length + 1), other % (records.length + 1)].sort((a, b) => a - b) as [number, number];
      const { sqlite } = openHistoryDatabase(":memory:");
      const take = (reducer: Reducer, from: number, to: number) => {
        for (let sequence = from + 1; sequence <= to; sequence++) reducer.take(sequence, records[sequence - 1]!);
        reducer.flush(to, new Uint8Array());
      };
      take(new Reducer(sqlite), 0, missed);
      seedHistory(sqlite, { durable: replayed(harness.log.slice(0, snapshot)), sequence: snapshot, mark: new Uint8Array(), records: 0 });
      const history = new Reducer(sqlite);
      take(history, snapshot, records.length);
      for (const run of harness.durable.runs.values()) {
        const row = history.table.read(run.number);
        expect(row && compared(addBodies(basicRun(history, row), history.table.bodiesOf(run.number)))).toEqual(
          compared(runMessageOf(harness.volatile, run, harness.now)),
        );
      }
    }),
    { numRuns: 100 },
  );
});

it("opens on a log that is purged: with what the newest snapshot knows, or with what the log has left", async () => {
  const harness = new EngineHarness();
  harness.trigger("a", 2);
  harness.trigger("b");
  const log = new MemoryLog();
  for (const [index, record] of encodedLog(harness.log).entries()) await log.append(index, record);
  const store = new MemorySnapshotStore();
  const { sequence } = await writeSnapshot({ log, store, to: (await log.last()) - 1, logger: silentLogger });
  await log.purge(sequence);
  const taskIds = async (options: Partial<ProjectionOptions>) => {
    const { logger, lines } = recordingLogger();
    const projection = await Projection.open({ file: ":memory:", log, logger, ...options });
    projection.begin(await log.last());
    const { runs } = await projection.find(create(FindRunsRequestSchema, { environment: "dev", limit: 10 }));
    projection.close();
    return [runs.map(({ taskId }) => taskId), lines.filter(({ level }) => level === "warn").length];
  };
  expect(await taskIds({ snapshots: store })).toEqual([["b", "a", "a"], 1]);
  await log.purge(await log.last());
  expect(await taskIds({})).toEqual([["b"], 1]);
});
