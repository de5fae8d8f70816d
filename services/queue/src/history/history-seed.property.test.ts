import { toJson } from "@bufbuild/protobuf";
import { PendingReason, RunSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import { runMessageOf } from "../engine/view.js";
import { encodedLog } from "../testing/encoded-log.js";
import { EngineHarness, replayed } from "../testing/engine-harness.js";
import { happening, RandomWorld } from "../testing/random-world.js";
import { openHistoryDatabase } from "./history-database.js";
import { seedHistory } from "./history-seed.js";
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
        expect(row && compared(addBodies(basicRun(history, row), history.table.bodiesOf(run.number)))).toEqual(compared(runMessageOf(harness.volatile, run)));
      }
    }),
    { numRuns: 100 },
  );
});
