import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RescheduleRunRequestSchema } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { describe, expect, it } from "vitest";
import { pictureOf } from "../testing/durable-picture.js";
import { EngineHarness, item, leaseMs, replayed } from "../testing/engine-harness.js";
import { decideCancel } from "./decide-cancel.js";
import { decideReschedule } from "./decide-reschedule.js";
import { nextDue } from "./decide-tick.js";
import { spanOf } from "./expiry.js";
import { pendingReasonOf } from "./pending-reason.js";
import type { RunRecord } from "./run-record.js";
import { runMessageOf, stateOf } from "./view.js";

const minute = 60_000;

function reschedule(harness: EngineHarness, run: RunRecord, delayMs: number): string | undefined {
  let reason: string | undefined;
  harness.step((step) => {
    const delayFor = create(RescheduleRunRequestSchema, { delay: { case: "delayFor", value: durationFromMs(delayMs) } });
    reason = decideReschedule(step, run, delayFor)?.reason;
  });
  return reason;
}

it("the owner sleeps longer by what its clock was set back, lest it be woken again and again until the clock has caught up", () => {
  const harness = new EngineHarness();
  harness.trigger("a", 1, { delayMs: 5_000 });
  expect([nextDue(harness, leaseMs), nextDue(harness, leaseMs, minute)]).toEqual([5_000, 5_000 + minute]);
  // What is due by the partition's time is due. Leases go by another clock.
  expect(nextDue({ ...harness, durable: harness.durable, volatile: harness.volatile, now: harness.now + 5_000 }, leaseMs, minute)).toBe(0);
  harness.connect({ id: "w", tasks: ["b"] });
  expect(nextDue(harness, leaseMs, minute)).toBe(leaseMs);
});

describe("a delay", () => {
  it("keeps a run out of its queue until its time, and not a millisecond longer", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [run] = harness.trigger("a", 1, { delayMs: 5_000 });
    expect(stateOf(run!)).toBe(RunState.DELAYED);
    expect(pendingReasonOf(harness.volatile, run!, harness.now)).toBe(PendingReason.DELAYED_BY_TRIGGER);
    expect(runMessageOf(harness.volatile, run!, harness.now).queueTime?.seconds).toBe(BigInt((harness.now + 5_000) / 1_000));
    harness.advance(4_999);
    expect(worker.assignments).toEqual([]);
    worker.hear(harness.advance(1));
    expect(worker.assignments).toHaveLength(1);
  });

  it("of more runs than one record of the log holds ends for all of them: the rest follows at once", () => {
    const harness = new EngineHarness();
    harness.connect({ id: "w", slots: 0, tasks: ["a"] });
    const runs = harness.trigger("a", 12_000, { delayMs: minute });
    const queued = () => runs.filter(({ phase }) => phase === "queued").length;
    harness.advance(minute);
    expect([queued(), nextDue({ ...harness, durable: harness.durable, volatile: harness.volatile }, leaseMs)]).toEqual([10_000, 0]);
    harness.advance(0);
    expect(queued()).toBe(12_000);
  });

  it("that has passed already is none", () => {
    const harness = new EngineHarness();
    const [past] = harness.trigger("a", 1, { untilMs: harness.now - 1 });
    const [now] = harness.trigger("a", 1, { delayMs: 0 });
    expect([stateOf(past!), stateOf(now!)]).toEqual([RunState.PENDING_VERSION, RunState.PENDING_VERSION]);
  });

  it("ends in the queue and on the machine that the task has by then", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { delayMs: minute });
    harness.connect({ id: "w", slots: 0, tasks: [{ id: "a", queue: "shared", machine: "micro" }], capacity: { milliCpus: 1_000, memoryMib: 1_024 } });
    harness.advance(minute);
    expect([run!.queue.name, run!.machine?.name]).toEqual(["shared", "micro"]);
  });

  it("may be changed to later, to earlier and to at once, while it lasts", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { delayMs: minute });
    expect(reschedule(harness, run!, 3 * minute)).toBeUndefined();
    harness.advance(2 * minute);
    expect(stateOf(run!)).toBe(RunState.DELAYED);
    expect(reschedule(harness, run!, 1_000)).toBeUndefined();
    harness.advance(999);
    expect(stateOf(run!)).toBe(RunState.DELAYED);
    expect(reschedule(harness, run!, 0)).toBeUndefined();
    expect(stateOf(run!)).toBe(RunState.PENDING_VERSION);
    expect(reschedule(harness, run!, minute)).toBe("RUN_NOT_DELAYED");
  });

  it("that has passed, unnoticed so far, cannot be changed any more", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { delayMs: minute });
    harness.now += minute;
    expect(reschedule(harness, run!, minute)).toBe("RUN_NOT_DELAYED");
    expect(run!.phase).toBe("queued");
  });

  it("ends with a cancel", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { delayMs: minute });
    harness.step((step) => decideCancel(step, run!, "no"));
    harness.advance(minute);
    expect(stateOf(run!)).toBe(RunState.CANCELED);
  });

  it("is known again after a restart", () => {
    const harness = new EngineHarness();
    const [{ number }] = harness.trigger("a", 1, { delayMs: minute }) as [RunRecord];
    harness.restart();
    expect(nextDue({ ...harness, durable: harness.durable }, leaseMs)).toBe(minute);
    harness.advance(minute);
    expect(harness.run(number).phase).toBe("queued");
  });
});

describe("a time to live", () => {
  it("expires a run that has not started, as Trigger.dev words it", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { ttlSeconds: 600 });
    expect(runMessageOf(harness.volatile, run!, harness.now)).toMatchObject({
      ttlSeconds: 600,
      expireTime: { seconds: BigInt((harness.now + 600_000) / 1_000) },
    });
    harness.advance(600_000 - 1);
    expect(stateOf(run!)).toBe(RunState.PENDING_VERSION);
    harness.advance(1);
    expect(stateOf(run!)).toBe(RunState.EXPIRED);
    expect(run!.failure?.message).toBe("Run expired because the TTL (10m) was reached");
  });

  it("counts from the queue on, not from the trigger", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { ttlSeconds: 60, delayMs: 10 * minute });
    harness.advance(10 * minute);
    harness.advance(minute - 1);
    expect(run!.phase).toBe("queued");
    harness.advance(1);
    expect(run!.phase).toBe("expired");
  });

  it("is the task's unless the trigger has one, and 0 is none", () => {
    const harness = new EngineHarness();
    harness.connect({ id: "w", slots: 0, tasks: [{ id: "a", ttlSeconds: 60 }] });
    const [task] = harness.trigger("a");
    const [trigger] = harness.trigger("a", 1, { ttlSeconds: 120 });
    const [never] = harness.trigger("a", 1, { ttlSeconds: 0 });
    harness.advance(minute);
    expect([task, trigger, never].map((run) => run!.phase)).toEqual(["expired", "queued", "queued"]);
    harness.advance(minute);
    expect([trigger, never].map((run) => run!.phase)).toEqual(["expired", "queued"]);
  });

  it("is over once the run has started: a retry waits as long as it must", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [run] = harness.trigger("a", 1, { ttlSeconds: 60, maxAttempts: 2 });
    worker.hear(harness.advance(0));
    worker.fail(worker.accept()[0]!.token, 10 * minute);
    harness.advance(2 * minute);
    expect(run!.phase).toBe("delayed");
  });

  it("counts on when an assignment is given back undone", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"], slots: 1 });
    const [run] = harness.trigger("a", 1, { ttlSeconds: 60 });
    worker.hear(harness.advance(0));
    worker.send({ drain: {}, declined: [{ token: worker.assignments[0]!.token }] });
    harness.advance(minute);
    expect(run!.phase).toBe("expired");
  });

  it("that has ended when a worker comes is not overlooked", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("a", 1, { ttlSeconds: 60 });
    harness.now += minute;
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    expect([run!.phase, worker.assignments.length]).toEqual(["expired", 0]);
  });

  it("tells the parent that waits", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["parent"] });
    harness.trigger("parent");
    worker.hear(harness.advance(0));
    const { token } = worker.accept()[0]!;
    const value = { waitId: 1, items: [item("nobody", { ttlSeconds: 60 })] };
    worker.send({ commands: [{ token, commandId: 1, command: { case: "triggerAndWait", value } }] });
    worker.frames.length = 0;
    worker.send({ heartbeat: { sequence: 1n } });
    for (let s = 0; s < 12; s++) {
      worker.send({ heartbeat: { sequence: 1n } });
      worker.hear(harness.advance(5_000));
    }
    const results = worker.frames.flatMap(({ resumes }) => resumes.flatMap((resume) => resume.results));
    expect(results.map(({ state }) => state)).toEqual([RunState.EXPIRED]);
  });

  it("leaves nothing in memory of runs that start at once", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"], slots: 100 });
    for (let round = 0; round < 60; round++) {
      harness.trigger("a", 100, { ttlSeconds: 86_400 });
      for (const { token } of worker.accept()) worker.succeed(token);
    }
    expect(harness.durable.due.size).toBeLessThan(2_100);
  });

  it.each([
    [0, "0s"],
    [1, "1s"],
    [600, "10m"],
    [5_400, "1h30m"],
    [1_209_601, "2w1s"],
  ])("of %d seconds reads %s", (seconds, text) => {
    expect(spanOf(seconds)).toBe(text);
  });
});

it("replay gives the same delays and times to live", () => {
  const harness = new EngineHarness();
  harness.trigger("a", 2, { delayMs: minute, ttlSeconds: 60 });
  harness.trigger("a", 2, { ttlSeconds: 30 });
  harness.advance(minute);
  expect(pictureOf(replayed(harness.log))).toEqual(pictureOf(harness.durable));
});
