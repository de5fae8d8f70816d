import { create } from "@bufbuild/protobuf";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { AttemptCommandSchema, JournalKind } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it } from "vitest";
import { EngineHarness, type HarnessWorker, item } from "../testing/engine-harness.js";
import { audit } from "./audit.js";
import { decideCancel } from "./decide-cancel.js";
import { explain } from "./explain.js";
import type { RunRecord } from "./run-record.js";
import { tokenOf } from "./token.js";
import { stateOf } from "./view.js";

type Command = Parameters<typeof create<typeof AttemptCommandSchema>>[1];

interface Scene {
  readonly harness: EngineHarness;
  readonly worker: HarnessWorker;
  readonly run: RunRecord;
  readonly ask: (
    commandId: number,
    command: NonNullable<Command>["command"],
    journalKey?: NonNullable<Command>["journalKey"],
  ) => ReturnType<HarnessWorker["send"]>;
}

function scene(concurrencyLimit?: number): Scene {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", journal: true, tasks: [{ id: "t", ...(concurrencyLimit ? { concurrencyLimit } : {}) }] });
  const [run] = harness.trigger("t", 1, { maxAttempts: 3 });
  worker.accept();
  return {
    harness,
    worker,
    run: run as RunRecord,
    ask: (commandId, command, journalKey) =>
      worker.send({
        commands: [create(AttemptCommandSchema, { token: tokenOf(run as RunRecord), commandId, command: command!, ...(journalKey ? { journalKey } : {}) })],
      }),
  };
}

const waitFor = (waitId: number, ms: number) => ({ case: "wait", value: { waitId, condition: { case: "forMs", value: BigInt(ms) } } }) as const;
const stepKey = (name: string, occurrence = 0) => ({ kind: JournalKind.STEP, name, occurrence });
const recordOf = (text: string) => ({ case: "record", value: { outcome: { case: "output", value: { data: new TextEncoder().encode(text) } } } }) as const;

describe("a wait for a time", () => {
  it("gives the slot to others, ends when its time has come and not before, and is told by one Resume", () => {
    const { harness, worker, run, ask } = scene(1);
    const [other] = harness.trigger("t");
    expect(ask(1, waitFor(1, 6_000))[0]!.commandOutcomes).toMatchObject([{ commandId: 1, outcomes: [] }]);
    expect([stateOf(run), other!.phase]).toEqual([RunState.WAITING, "assigned"]);
    worker.accept();
    worker.succeed(tokenOf(other!));
    harness.advance(5_999);
    expect(run.phase).toBe("waiting");
    worker.hear(harness.advance(2));
    expect(run.phase).toBe("executing");
    expect(worker.frames.flatMap(({ resumes }) => resumes)).toMatchObject([{ waitId: 1, results: [], more: false, end: { timedOut: false } }]);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("that has passed already leaves the run executing, and is told at once", () => {
    const { harness, run, ask } = scene();
    const frames = ask(1, { case: "wait", value: { waitId: 1, condition: { case: "untilMs", value: BigInt(harness.now - 1) } } });
    expect(frames.flatMap(({ resumes }) => resumes)).toMatchObject([{ waitId: 1, end: {} }]);
    expect(run.phase).toBe("executing");
  });

  it("says until when, if asked why", () => {
    const { harness, run, ask } = scene();
    const end = harness.now + 60_000;
    ask(1, waitFor(1, 60_000));
    const { reason, dueTime } = explain(harness.volatile, run, harness.now);
    expect([reason, Number(dueTime!.seconds) * 1_000]).toEqual([PendingReason.WAITING_FOR_TIME, end]);
  });

  it("survives a restart of the server", () => {
    const { harness, ask, run } = scene();
    ask(1, waitFor(1, 5_000));
    harness.restart();
    harness.advance(5_001);
    expect(harness.run(run.number).waits?.get(1)).toMatchObject({ pending: 0 });
  });

  it("may be open beside others: the first that ends wakes the run, and it waits on for the rest", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, waitFor(1, 2_000));
    ask(2, waitFor(2, 1_000));
    worker.hear(harness.advance(1_001));
    expect(run.phase).toBe("executing");
    ask(3, { case: "continueWaiting", value: { openWaits: [1] } });
    expect(run.phase).toBe("waiting");
    worker.hear(harness.advance(1_001));
    expect(worker.frames.flatMap(({ resumes }) => resumes.map(({ waitId }) => waitId))).toEqual([2, 1]);
  });

  it("lasts 366 days at most", () => {
    const { ask, run } = scene();
    const [frame] = ask(1, { case: "wait", value: { waitId: 1, condition: { case: "forMs", value: 31_622_400_001n } } });
    expect(frame!.commandOutcomes[0]!.error?.message).toContain("for_ms");
    expect(run.phase).toBe("executing");
  });

  it("is over with its run: cancelled meanwhile, it ends nothing", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, waitFor(1, 1_000));
    worker.fail(tokenOf(run));
    harness.advance(2_000);
    expect([run.phase, harness.durable.due.peek()]).toEqual(["failed", undefined]);
  });
});

describe("the journal", () => {
  it("has every call that the worker names, in the order in which they ended", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, { case: "trigger", value: { items: [item("u")] } }, { kind: JournalKind.TRIGGER, name: "u" });
    ask(2, waitFor(1, 1_000), { kind: JournalKind.WAIT_TIME });
    ask(3, recordOf("1"), stepKey("charge"));
    worker.hear(harness.advance(1_001));
    expect([...run.journal!.entries.values()].map(({ commandId, waitId, settled }) => [commandId, waitId, settled])).toEqual([
      [1, 0, 1],
      [2, 1, 3],
      [3, 0, 2],
    ]);
  });

  it("refuses a second call of the same key, and a record without one", () => {
    const { ask } = scene();
    ask(1, recordOf("1"), stepKey("charge"));
    expect(ask(2, recordOf("2"), stepKey("charge"))[0]!.commandOutcomes[0]!.error?.message).toContain("command 1 of the attempt has the same");
    expect(ask(3, recordOf("2"))[0]!.commandOutcomes[0]!.error?.message).toContain("a record needs one");
  });

  it("answers a repeated record once more, and has it once", () => {
    const { ask, run } = scene();
    ask(1, recordOf("1"), stepKey("charge"));
    expect(ask(1, recordOf("1"), stepKey("charge"))[0]!.commandOutcomes[0]!.error).toBeUndefined();
    expect(run.journal!.entries.size).toBe(1);
  });

  it("keeps the steps that succeeded for the run's next attempt, and nothing else, and forgets them with the run's end", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, recordOf("1"), stepKey("charge"));
    ask(2, { case: "record", value: { outcome: { case: "failure", value: { message: "no" } } } }, stepKey("refund"));
    ask(3, recordOf("3"), { kind: JournalKind.CREATE_TOKEN, name: "" });
    worker.fail(tokenOf(run), 0);
    expect([run.attempt, run.journal!.entries.size, run.journal!.steps.map(({ key }) => key.name)]).toEqual([2, 0, ["charge"]]);
    worker.hear(harness.advance(1));
    worker.accept();
    worker.succeed(tokenOf(run));
    expect([run.phase, run.journal]).toEqual(["completed", undefined]);
  });

  it("is not there for a run whose code names no calls", () => {
    const { run, ask } = scene();
    ask(1, { case: "trigger", value: { items: [item("u")] } });
    expect(run.journal).toBeUndefined();
  });
});

describe("a run that waits when its worker is lost", () => {
  const waitKey = { kind: JournalKind.WAIT_TIME, name: "" };

  it("goes on elsewhere as the same attempt, when its wait has ended, with what its journal has", () => {
    const { harness, run, ask } = scene();
    ask(1, recordOf("1"), stepKey("charge"));
    ask(2, waitFor(1, 30_000), waitKey);
    harness.advance(15_000);
    expect([run.phase, run.attempt, stateOf(run)]).toEqual(["parked", 1, RunState.WAITING]);
    harness.connect({ id: "old", tasks: ["t"] });
    harness.advance(5_000);
    harness.connect({ id: "old", tasks: ["t"], held: [] });
    harness.restart();
    const after = harness.run(run.number);
    expect(after.phase).toBe("parked");
    harness.advance(15_000);
    expect(after.phase).toBe("revived");
    const other = harness.connect({ id: "other", journal: true, tasks: ["t"] });
    expect(other.assignments).toMatchObject([{ attemptNumber: 1, resumed: true, journalLength: 2 }]);
    expect(other.frames.flatMap(({ journalParts }) => journalParts.flatMap(({ entries }) => entries))).toMatchObject([
      { commandId: 1, settled: 1, unseen: false, output: {} },
      { commandId: 2, waitId: 1, settled: 2, unseen: true, end: { timedOut: false } },
    ]);
    other.accept();
    other.succeed(tokenOf(after));
    expect([after.phase, audit(harness.durable)]).toEqual(["completed", []]);
  });

  it("goes on from its journal too if it was told of the end of its wait when its worker was dead already", () => {
    const { harness, run, ask } = scene();
    ask(1, waitFor(1, 3_000), waitKey);
    harness.advance(3_500);
    expect(run.phase).toBe("executing");
    harness.advance(10_000);
    expect([run.phase, run.attempt]).toEqual(["revived", 1]);
    const other = harness.connect({ id: "other", journal: true, tasks: ["t"] });
    expect(other.assignments).toMatchObject([{ attemptNumber: 1, resumed: true, journalLength: 1 }]);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("has lost an attempt if its worker was heard of after the end of the wait: its code went on", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, waitFor(1, 3_000), waitKey);
    worker.hear(harness.advance(3_500));
    harness.advance(100);
    worker.send({});
    harness.advance(10_000);
    expect([run.phase, run.attempt]).toEqual(["queued", 1]);
    expect(run.failure?.code).toBe("TASK_RUN_STALLED_EXECUTING");
  });

  it("starts anew if a wait of it is not in the journal", () => {
    const { harness, run, ask } = scene();
    ask(1, waitFor(1, 30_000));
    harness.advance(15_000);
    expect([run.phase, run.attempt]).toEqual(["queued", 1]);
  });

  it("is offered again if a worker declines it, and has lost nothing", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, waitFor(1, 1_000), waitKey);
    worker.send({ results: [{ token: tokenOf(run), outcome: { case: "release", value: {} } }] });
    expect(run.phase).toBe("parked");
    worker.hear(harness.advance(1_001));
    worker.send({ declined: [{ token: tokenOf(run) }] });
    expect([run.attempt, run.journal?.entries.size]).toEqual([1, 1]);
    const [first, again] = worker.assignments.slice(-2);
    expect([first?.resumed, again?.resumed]).toEqual([true, true]);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("is cancelled at once", () => {
    const { harness, worker, run, ask } = scene();
    ask(1, waitFor(1, 1_000), waitKey);
    worker.send({ results: [{ token: tokenOf(run), outcome: { case: "release", value: {} } }] });
    harness.step((step) => decideCancel(step, run, "no"));
    expect(run.phase).toBe("canceled");
  });
});
