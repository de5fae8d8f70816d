import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { beforeEach, describe, expect, test } from "vitest";
import { pictureOf } from "../testing/durable-picture.js";
import { EngineHarness, type HarnessWorker, item, replayed } from "../testing/engine-harness.js";
import { decideRecordPayload } from "./decide-payload.js";
import { decideTrigger } from "./decide-trigger.js";
import { finishedRetention } from "./durable.js";
import { environmentCreated } from "./events.js";
import type { CreatedRuns } from "./run-record.js";
import { emit } from "./step.js";
import { stateOf } from "./view.js";

const hourMs = 60 * 60_000;
let harness: EngineHarness;
let worker: HarnessWorker;
beforeEach(() => {
  harness = new EngineHarness();
  worker = harness.connect({ id: "w", slots: 10, tasks: ["a"] });
});

const store = (reference: string, environment = harness.environment) => harness.step((step) => decideRecordPayload(step, environment, reference, 200_000n));
function trigger(references: (string | undefined)[], requestId = ""): CreatedRuns {
  let created: CreatedRuns | undefined;
  const items = references.map((reference) => item("a", reference === undefined ? {} : { reference }));
  worker.hear(
    harness.step((step) => {
      created = decideTrigger(step, { environment: harness.environment, requestId, items });
    }),
  );
  return created!;
}
const output = (reference: string) => ({ case: "output" as const, value: { contentType: "application/json", reference } });
const acceptOne = () => worker.accept()[0]!.token;
const refs = () => [...harness.environment.payloads.values()].map(({ reference, refs }) => [reference, refs]);

test("a payload that is recorded may be the payload of runs, and of an output", () => {
  store("pay_1");
  store("pay_2");
  const { first } = trigger(["pay_1", "pay_1"]);
  expect(harness.run(first).payload).toMatchObject({ reference: "pay_1", data: new Uint8Array() });
  const [assignment] = worker.accept();
  expect(assignment?.payload?.reference).toBe("pay_1");
  worker.send({ results: [{ token: assignment!.token, outcome: output("pay_2") }] });
  expect([stateOf(harness.run(first)), harness.run(first).output?.reference]).toEqual([RunState.COMPLETED, "pay_2"]);
  expect(refs()).toEqual([
    ["pay_1", 2],
    ["pay_2", 1],
  ]);
});

test("recording it twice changes nothing", () => {
  store("pay_1");
  const before = harness.log.length;
  store("pay_1");
  expect(harness.log.length).toBe(before);
});

describe("a reference that nobody recorded", () => {
  test("refuses its item alone", () => {
    store("pay_1");
    const { count, refused } = trigger(["pay_1", "pay_x", undefined]);
    expect(count).toBe(2);
    expect(refused).toMatchObject([{ index: 1, refusal: { reason: "PAYLOAD_NOT_FOUND" } }]);
  });

  test("is one of another environment, too", () => {
    harness.step((step) => emit(step, environmentCreated("prod", "prod")));
    store("pay_1", harness.durable.environments.get("prod"));
    expect(trigger(["pay_1"]).refused).toMatchObject([{ refusal: { reason: "PAYLOAD_NOT_FOUND" } }]);
  });

  test("refuses the item of a run's command", () => {
    trigger([undefined]);
    const token = acceptOne();
    const [frame] = worker.send({
      commands: [{ token, commandId: 1, command: { case: "trigger", value: { items: [item("a", { reference: "pay_x" })] } } }],
    });
    expect(frame?.commandOutcomes[0]?.outcomes[0]?.outcome).toMatchObject({ case: "error", value: { message: expect.stringContaining("pay_x") } });
  });

  test("fails the attempt whose output it is, for good", () => {
    const { first } = trigger([undefined]);
    const token = acceptOne();
    worker.send({ results: [{ token, outcome: output("pay_x") }] });
    expect(stateOf(harness.run(first))).toBe(RunState.FAILED);
    expect(harness.run(first).failure).toMatchObject({ code: "TASK_OUTPUT_ERROR", message: expect.stringContaining("pay_x") });
  });
});

test("an output with bytes and a reference is refused", () => {
  store("pay_1");
  const { first } = trigger([undefined]);
  const token = acceptOne();
  worker.send({ results: [{ token, outcome: { case: "output", value: { data: new Uint8Array([1]), reference: "pay_1" } } }] });
  expect(harness.run(first).failure?.message).toContain("only one");
  expect(refs()).toEqual([["pay_1", 0]]);
});

describe("a payload to which nothing refers", () => {
  test("is dropped after an hour, and its bytes deleted with the commit", () => {
    store("pay_1");
    expect(harness.advance(hourMs - 1).droppedPayloads).toEqual([]);
    expect(refs()).toEqual([["pay_1", 0]]);
    expect(harness.advance(1).droppedPayloads).toEqual([{ environment: "dev", reference: "pay_1" }]);
    expect(refs()).toEqual([]);
    expect(trigger(["pay_1"]).refused).toMatchObject([{ refusal: { reason: "PAYLOAD_NOT_FOUND" } }]);
  });

  test("is dropped once, also after a restart", () => {
    store("pay_1");
    harness.advance(hourMs);
    const before = harness.log.flatMap(({ events }) => events).length;
    harness.restart();
    expect(harness.log.flatMap(({ events }) => events).length).toBe(before);
  });

  test("is dropped on time by an owner that was away", () => {
    store("pay_1");
    harness.now += 2 * hourMs;
    harness.restart();
    expect(refs()).toEqual([]);
  });
});

test("a payload is kept as long as its run, in memory or out of it, whatever became of the run", () => {
  store("pay_1");
  trigger(["pay_1"]);
  const token = acceptOne();
  worker.fail(token);
  for (let i = 0; i < finishedRetention.count; i += 10) {
    trigger(Array(10).fill(undefined));
    for (const assignment of worker.accept()) worker.succeed(assignment.token);
  }
  worker.fail(token);
  trigger([undefined]);
  for (const assignment of worker.accept()) worker.succeed(assignment.token);
  expect(harness.durable.runs.has(1)).toBe(false);
  harness.advance(10 * hourMs);
  expect(refs()).toEqual([["pay_1", 1]]);
  expect(pictureOf(replayed(harness.log))).toEqual(pictureOf(harness.durable));
});

test("a repeated request finds its runs, although their payload would not be taken any more", () => {
  expect(trigger(["pay_1"], "r").refused).toHaveLength(1);
  store("pay_1");
  const before = trigger(["pay_1"], "r");
  expect(before.refused).toHaveLength(1);
  const made = trigger(["pay_1"], "r2");
  expect(trigger(["pay_1"], "r2")).toEqual(made);
  expect(refs()).toEqual([["pay_1", 1]]);
});
