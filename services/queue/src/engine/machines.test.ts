import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Assignment } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it, test, vi } from "vitest";
import { EngineHarness, item } from "../testing/engine-harness.js";
import { audit } from "./audit.js";
import { decideCancel } from "./decide-cancel.js";
import { Heap } from "./heap.js";
import { machines } from "./machine.js";
import { pendingReasonOf } from "./pending-reason.js";
import { runMessageOf, stateOf } from "./view.js";

const oneCore = { milliCpus: 1_000, memoryMib: 1_024 };

test("the presets are those of Trigger.dev", () => {
  expect([...machines.values()].map(({ name, milliCpus, memoryMib }) => [name, milliCpus / 1_000, memoryMib / 1_024])).toEqual([
    ["micro", 0.25, 0.25],
    ["small-1x", 0.5, 0.5],
    ["small-2x", 1, 1],
    ["medium-1x", 1, 2],
    ["medium-2x", 2, 4],
    ["large-1x", 4, 8],
    ["large-2x", 8, 16],
  ]);
});

describe("an attempt with a machine", () => {
  it("is placed only where cpus and memory are left, and the next when they are given back", () => {
    const harness = new EngineHarness();
    const runs = harness.trigger("t", 3);
    const worker = harness.connect({ id: "w", capacity: oneCore, tasks: [{ id: "t", machine: "small-1x" }] });
    const [first, second] = worker.accept();
    expect([first?.settings?.machine, second?.settings?.machine]).toEqual(["small-1x", "small-1x"]);
    expect(worker.assignments).toEqual([]);
    expect(pendingReasonOf(harness.volatile, runs[2]!, harness.now)).toBe(PendingReason.WORKER_CAPACITY);
    worker.succeed(first!.token);
    expect(worker.accept()).toHaveLength(1);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("goes to the worker that has room, of several", () => {
    const harness = new EngineHarness();
    const tasks = [{ id: "t", machine: "medium-1x" }];
    const small = harness.connect({ id: "small", capacity: oneCore, tasks });
    const large = harness.connect({ id: "large", capacity: { milliCpus: 2_000, memoryMib: 4_096 }, tasks });
    const [, , third] = harness.trigger("t", 3);
    expect([small.connection?.session.busy, large.connection?.session.busy]).toEqual([0, 2]);
    expect(pendingReasonOf(harness.volatile, third!, harness.now)).toBe(PendingReason.WORKER_CAPACITY);
  });

  it("that fits no worker says so, and blocks nobody behind it: not its queue, not its task", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", capacity: oneCore, tasks: ["plain", { id: "t", queue: "shared" }, { id: "u", queue: "shared" }] });
    const [huge] = harness.trigger("t", 1, { machine: "large-1x" });
    harness.trigger("t", 1, { machine: "micro" });
    harness.trigger("t");
    harness.trigger("u");
    expect(worker.accept().map(({ taskId, settings }) => [taskId, settings?.machine])).toEqual([
      ["t", "micro"],
      ["t", undefined],
      ["u", undefined],
    ]);
    expect(pendingReasonOf(harness.volatile, huge!, harness.now)).toBe(PendingReason.NO_MACHINE);
    const larger = harness.connect({ id: "larger", capacity: { milliCpus: 4_000, memoryMib: 8_192 }, tasks: ["t"] });
    expect(larger.accept()).toHaveLength(1);
  });

  it("is not placed on a worker that has declared no capacity", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["t"] });
    const [run] = harness.trigger("t", 1, { machine: "micro" });
    expect(worker.accept()).toEqual([]);
    expect(pendingReasonOf(harness.volatile, run!, harness.now)).toBe(PendingReason.NO_MACHINE);
  });

  it("takes a slot, too", () => {
    const harness = new EngineHarness();
    harness.connect({ id: "w", slots: 1, capacity: oneCore, tasks: ["t"] });
    const [, second] = harness.trigger("t", 2, { machine: "micro" });
    expect(pendingReasonOf(harness.volatile, second!, harness.now)).toBe(PendingReason.WORKER_CAPACITY);
  });

  it("gives its share back while it waits, and goes on only when there is room again; before what came later", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({
      id: "w",
      capacity: oneCore,
      tasks: [
        { id: "parent", machine: "small-2x" },
        { id: "child", machine: "small-2x" },
      ],
    });
    const [parent] = harness.trigger("parent");
    const [{ token }] = worker.accept() as [Assignment];
    worker.send({ commands: [{ token, commandId: 1, command: { case: "triggerAndWait", value: { waitId: 1, items: [item("child")] } } }] });
    const [child] = worker.accept();
    const [other] = harness.trigger("child");
    // The child ends while its sibling, which was triggered first, has been cancelled: the share is held until the worker confirms.
    harness.step((step) => decideCancel(step, harness.run(parent!.number + 1), "test"));
    expect([parent!.phase, pendingReasonOf(harness.volatile, parent!, harness.now)]).toEqual(["resumable", PendingReason.WORKER_CAPACITY]);
    expect(worker.assignments).toEqual([]);
    const frames = worker.send({ cancelConfirmed: [child!.token] });
    expect(frames.flatMap(({ resumes }) => resumes.map(({ waitId }) => waitId))).toEqual([1]);
    expect([parent!.phase, other!.phase]).toEqual(["executing", "queued"]);
    expect(audit(harness.durable)).toEqual([]);
    worker.succeed(token);
    expect(worker.accept()).toHaveLength(1);
  });

  it("keeps the machine of its trigger when the task is declared with another; one that has none follows the task until it starts", () => {
    const harness = new EngineHarness();
    const [asked] = harness.trigger("t", 1, { machine: "micro" });
    const [follows] = harness.trigger("t");
    harness.connect({ id: "w", capacity: oneCore, tasks: [{ id: "t", machine: "large-1x", maxDurationSeconds: 60 }] });
    expect(runMessageOf(harness.volatile, asked!, harness.now)).toMatchObject({ machine: "micro", maxDurationSeconds: 60, state: RunState.DEQUEUED });
    expect(pendingReasonOf(harness.volatile, follows!, harness.now)).toBe(PendingReason.NO_MACHINE);
    const worker = harness.connect({ id: "w", incarnation: 2, buildId: "next", capacity: oneCore, tasks: [{ id: "t", machine: "small-1x" }] });
    expect(worker.accept().map(({ settings }) => settings?.machine)).toContain("small-1x");
    expect(runMessageOf(harness.volatile, follows!, harness.now).machine).toBe("small-1x");
  });
});

describe("want of memory", () => {
  const setUp = (machine: string) => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", capacity: { milliCpus: 8_000, memoryMib: 16_384 }, tasks: [{ id: "t", machine, maxAttempts: 3 }] });
    const [run] = harness.trigger("t");
    return { harness, worker, run: run!, attempt: worker.accept()[0]! };
  };

  it("is retried on the machine that the worker asks for, and on that from then on", () => {
    const { harness, worker, run, attempt } = setUp("micro");
    worker.outOfMemory(attempt.token, "medium-1x");
    const [second] = worker.accept();
    expect([second?.attemptNumber, second?.settings?.machine]).toEqual([2, "medium-1x"]);
    worker.fail(second!.token, 0);
    harness.advance(1);
    worker.send({});
    expect(worker.accept()[0]?.settings?.machine).toBe("medium-1x");
    expect([audit(harness.durable), worker.connection?.session.usedMemoryMib, run.attempt]).toEqual([[], 2_048, 3]);
  });

  it("ends the run as CRASHED if it would be the same machine, or none is asked for", () => {
    for (const asked of ["micro", "", "gigantic"]) {
      const { worker, run, attempt } = setUp("micro");
      worker.outOfMemory(attempt.token, asked);
      expect(RunState[stateOf(run)]).toBe("CRASHED");
    }
  });
});

test("a preset that there is not is refused, of a trigger and of a task", () => {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", tasks: ["parent"] });
  harness.trigger("parent");
  const [{ token }] = worker.accept() as [Assignment];
  const [frame] = worker.send({ commands: [{ token, commandId: 1, command: { case: "trigger", value: { items: [item("t", { machine: "giant" })] } } }] });
  expect(frame?.commandOutcomes[0]?.outcomes[0]?.outcome).toMatchObject({ case: "error", value: { message: expect.stringContaining('no machine "giant"') } });
  const refused = harness.connect({ id: "other", tasks: [{ id: "t", machine: "giant" }] });
  expect(refused.connection).toBeUndefined();
});

test("what it costs to place a run does not grow with a backlog that fits nowhere", () => {
  const looks = (backlog: number) => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", slots: 100, capacity: oneCore, tasks: ["t"] });
    for (let i = 0; i < backlog; i += 500) harness.trigger("t", 500, { machine: "large-2x" });
    const peek = vi.spyOn(Heap.prototype, "peek");
    harness.trigger("t", 10);
    const { length } = peek.mock.calls;
    peek.mockRestore();
    expect(worker.accept()).toHaveLength(10);
    return length;
  };
  expect(looks(20_000)).toBeLessThanOrEqual(looks(500));
});
