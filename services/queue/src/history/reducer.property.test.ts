import { toJson } from "@bufbuild/protobuf";
import { PendingReason, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Assignment } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import fc from "fast-check";
import { expect, it, test } from "vitest";
import { runMessageOf } from "../engine/view.js";
import { encodedLog } from "../testing/encoded-log.js";
import { EngineHarness, item } from "../testing/engine-harness.js";
import { happening, RandomWorld } from "../testing/random-world.js";
import { openHistoryDatabase } from "./history-database.js";
import { Reducer } from "./reducer.js";
import { addBodies, basicRun } from "./run-message.js";

/** What history makes of a log, if it is flushed, or dies and comes back, after some of the records. */
function historyOf(records: readonly Uint8Array[], fateOf: (sequence: number) => "go on" | "flush" | "die"): Reducer {
  const { sqlite } = openHistoryDatabase(":memory:");
  let reducer = new Reducer(sqlite);
  for (let sequence = 1; sequence <= records.length; sequence++) {
    reducer.take(sequence, records[sequence - 1]!);
    const fate = sequence === records.length ? "flush" : fateOf(sequence);
    if (fate === "flush") reducer.flush(sequence, new Uint8Array());
    if (fate !== "die") continue;
    // What was not flushed is lost, and an open transaction with it; the log is followed from the position that the table has.
    if (sqlite.inTransaction) sqlite.exec("ROLLBACK");
    sequence = (sqlite.prepare("SELECT position FROM followed").raw().get([]) as [number])[0];
    reducer = new Reducer(sqlite);
    fateOf = (at) => (at % 3 === 0 ? "flush" : "go on");
  }
  return reducer;
}

/** All but what only the owner knows: why a run does not execute now. */
const compared = (run: Parameters<typeof toJson<typeof RunSchema>>[1]) => toJson(RunSchema, { ...run, pendingReason: PendingReason.UNSPECIFIED });

it("whatever happens, however it is written: history shows every run as the engine does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 12, arbitrary: happening }, { weight: 1, arbitrary: fc.nat(5) }), { minLength: 10, maxLength: 120 }),
      fc.integer(),
      fc.infiniteStream(fc.constantFrom("go on", "go on", "go on", "flush", "die") as fc.Arbitrary<"go on" | "flush" | "die">),
      (happenings, seed, fates) => {
        const harness = new EngineHarness(seed);
        const world = new RandomWorld(harness);
        for (const event of happenings) {
          if (typeof event !== "number") world.happen(event);
          else if (event < 3)
            harness.connect({
              id: "declares",
              buildId: `b${event}`,
              incarnation: harness.log.length + 1,
              tasks: [{ id: "free", queue: `q${event}`, maxAttempts: event + 1 }, { id: "late" }],
            });
          else harness.trigger(event === 3 ? "late" : "free", 2, event === 5 ? { queue: "named" } : {});
        }
        const history = historyOf(encodedLog(harness.log), () => fates.next().value);
        for (const run of harness.durable.runs.values()) {
          const row = history.table.read(run.number);
          expect(row && compared(addBodies(basicRun(history, row), history.table.bodiesOf(run.number)))).toEqual(
            compared(runMessageOf(harness.volatile, run, harness.now)),
          );
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("a run that waits on after a wait has ended, and then fails while it waits, is told so", () => {
  const harness = new EngineHarness();
  const [parent] = harness.trigger("parent");
  const worker = harness.connect({ id: "w", slots: 10, tasks: ["parent", "child"] });
  const agrees = () => {
    const history = historyOf(encodedLog(harness.log), () => "go on");
    const row = history.table.read(parent!.number);
    expect(row && compared(basicRun(history, row))).toEqual(compared({ ...runMessageOf(harness.volatile, parent!, harness.now), payload: undefined }));
    return RunState[row!.state];
  };
  const [{ token }] = worker.accept() as [Assignment];
  const wait = (waitId: number) => ({ token, commandId: waitId, command: { case: "triggerAndWait" as const, value: { waitId, items: [item("child")] } } });
  worker.send({ commands: [wait(1), wait(2)] });
  expect(agrees()).toBe("WAITING");
  const [child] = worker.accept();
  worker.succeed(child!.token);
  expect(agrees()).toBe("EXECUTING");
  worker.send({ commands: [{ token, commandId: 3, command: { case: "continueWaiting", value: { openWaits: [2] } } }] });
  expect(agrees()).toBe("WAITING");
  worker.fail(token, 1_000);
  expect(agrees()).toBe("QUEUED");
});

test("every row knows the record that changed it last, however the rows are written", () => {
  const harness = new EngineHarness(1);
  const world = new RandomWorld(harness);
  const random = () => Math.floor(harness.random() * 1_000);
  for (const { kind } of fc.sample(happening, { numRuns: 200, seed: 7 })) world.happen({ kind, a: random(), b: random() });
  const records = encodedLog(harness.log);
  const positions = (history: Reducer) => [...harness.durable.runs.numbers()].map((number) => history.table.read(number)?.position);
  expect(positions(historyOf(records, () => "flush"))).toEqual(positions(historyOf(records, () => "go on")));
});

test("what a run has no more, its row has no more either: a failure, and when the next attempt is due", () => {
  const harness = new EngineHarness();
  const [run] = harness.trigger("a");
  const worker = harness.connect({ id: "w", tasks: ["a"] });
  worker.fail(worker.accept()[0]!.token, 1_000);
  const shown = () => {
    const history = historyOf(encodedLog(harness.log), () => "flush");
    return history.table.read(run!.number);
  };
  expect(shown()).toMatchObject({ failure: expect.anything(), retryMs: harness.now + 1_000 });
  harness.advance(1_000);
  worker.succeed(worker.accept()[0]!.token);
  expect(shown()).toMatchObject({ state: RunState.COMPLETED, failure: null, retryMs: 0 });
});
