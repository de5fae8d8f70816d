import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { ResultDisposition } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it } from "vitest";
import { EngineHarness, HarnessWorker, item } from "../testing/engine-harness.js";
import { audit } from "./audit.js";
import { decideCancel } from "./decide-cancel.js";
import { decideTrigger } from "./decide-trigger.js";
import { pendingReasonOf } from "./pending-reason.js";
import { runIdOf, runNumberOf } from "./run-id.js";
import { stateOf } from "./view.js";

const phasesOf = (harness: EngineHarness) => [...harness.durable.runs.values()].map((run) => run.phase);

describe("a run's way", () => {
  it("is assigned in the batch that creates it, accepted, and completed", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    let first = 0;
    const outbox = harness.step((step) => {
      first = decideTrigger(step, { environment: harness.environment, requestId: "r1", items: [item("a")] }).first;
    });
    worker.hear(outbox);
    expect(harness.log.at(-1)?.events.map(({ event }) => event.case)).toEqual(["runsCreated", "runAssigned"]);
    expect(stateOf(harness.run(first))).toBe(RunState.DEQUEUED);
    const [assignment] = worker.accept();
    expect(stateOf(harness.run(first))).toBe(RunState.EXECUTING);
    const [answer] = worker.succeed(assignment!.token);
    expect(answer?.receipts.map((receipt) => receipt.disposition)).toEqual([ResultDisposition.RECORDED]);
    expect(stateOf(harness.run(first))).toBe(RunState.COMPLETED);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("waits in PENDING_VERSION for a task that nobody has declared, and starts when a worker does", () => {
    const harness = new EngineHarness();
    const [run] = harness.trigger("unknown");
    expect(stateOf(run!)).toBe(RunState.PENDING_VERSION);
    const worker = harness.connect({ id: "w", tasks: [{ id: "unknown", queue: "q", concurrencyLimit: 1 }] });
    expect(worker.assignments).toHaveLength(1);
    expect(run!.queue.name).toBe("q");
  });

  it("answers a repeated request with the runs of the first", () => {
    const harness = new EngineHarness();
    const [first] = harness.trigger("a", 1, { requestId: "same" });
    const [again] = harness.trigger("a", 1, { requestId: "same" });
    expect(again).toBe(first);
    expect(harness.durable.runs.size).toBe(1);
  });
});

describe("order and limits", () => {
  it("starts runs of a queue in the order of their creation, and never more than its limit", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: [{ id: "a", concurrencyLimit: 2 }] });
    const runs = harness.trigger("a", 5);
    worker.hear(harness.advance(0));
    const started: number[] = [];
    for (let round = 0; round < 5; round++) {
      expect(runs.filter((run) => run.phase === "assigned" || run.phase === "executing").length).toBeLessThanOrEqual(2);
      for (const run of runs) if (run.phase === "assigned" && !started.includes(run.number)) started.push(run.number);
      const running = runs.find((run) => run.phase === "assigned");
      if (!running) break;
      const connection = harness.volatile.connections.get(running.session!)!;
      const reporting = new HarnessWorker(harness, connection);
      reporting.succeed(tokenFor(running));
    }
    expect(started).toEqual(runs.map((run) => run.number));
  });

  it("never gives a worker more than its slots, and fills them again when one frees", () => {
    const harness = new EngineHarness();
    harness.trigger("a", 5);
    const worker = harness.connect({ id: "w", tasks: ["a"], slots: 2 });
    expect(worker.assignments).toHaveLength(2);
    const [assignment] = worker.accept();
    worker.succeed(assignment!.token);
    expect(worker.assignments).toHaveLength(1);
  });

  it("lets queues take turns when workers are short", () => {
    const harness = new EngineHarness();
    harness.trigger("a", 10);
    harness.trigger("b", 10);
    const worker = harness.connect({ id: "w", tasks: ["a", "b"], slots: 4 });
    expect(worker.assignments.map((assignment) => assignment.taskId).sort()).toEqual(["a", "a", "b", "b"]);
  });

  it("does not let a run without a worker block those behind it", () => {
    const harness = new EngineHarness();
    harness.trigger("nobody", 1, { queue: "shared" });
    harness.trigger("a", 1, { queue: "shared" });
    const worker = harness.connect({ id: "w", tasks: ["a"], queues: [{ name: "shared" }] });
    expect(worker.assignments.map((assignment) => assignment.taskId)).toEqual(["a"]);
  });
});

describe("retries", () => {
  it("keep the queue slot through a short delay and give it back through a long one", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: [{ id: "a", concurrencyLimit: 1 }] });
    const [first] = harness.trigger("a", 1);
    harness.trigger("a", 1);
    worker.hear(harness.advance(0));
    worker.fail(tokenFor(first!), 1_000);
    expect(first!.phase).toBe("backoff");
    expect(first!.queue.held).toBe(1);
    worker.hear(harness.advance(999));
    expect(first!.phase).toBe("backoff");
    worker.hear(harness.advance(1));
    expect([first!.phase, first!.attempt]).toEqual(["assigned", 2]);
    worker.fail(tokenFor(first!), 60_000);
    expect([first!.phase, first!.queue.held]).toEqual(["delayed", 1]);
  });

  it("end when the attempts are used up, whatever the worker asks for", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [run] = harness.trigger("a", 1, { maxAttempts: 2 });
    worker.hear(harness.advance(0));
    worker.fail(tokenFor(run!), 0);
    expect([run!.phase, run!.attempt]).toEqual(["assigned", 2]);
    worker.fail(tokenFor(run!), 0);
    expect(run!.phase).toBe("failed");
  });
});

describe("sessions", () => {
  it("lose what they held when they end: it is retried at once, or fails as stalled", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: [{ id: "a" }, { id: "once", maxAttempts: 1 }] });
    const [run] = harness.trigger("a");
    const [once] = harness.trigger("once");
    worker.send({ accepted: [tokenFor(run!), tokenFor(once!)] });
    harness.advance(9_999);
    expect(run!.phase).toBe("executing");
    harness.advance(1);
    expect([run!.phase, run!.attempt]).toEqual(["queued", 1]);
    expect([once!.phase, once!.failure?.code]).toEqual(["failed", "TASK_RUN_STALLED_EXECUTING"]);
    expect(audit(harness.durable)).toEqual([]);
  });

  it("are resumed by the same incarnation with everything that it holds, and take back what never arrived", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [kept, undelivered] = harness.trigger("a", 2);
    worker.send({ accepted: [tokenFor(kept!)] });
    const lost = undelivered!.nonce;
    const again = harness.connect({ id: "w", tasks: ["a"], held: [{ token: tokenFor(kept!), openWaits: [] }] });
    expect(kept!.phase).toBe("executing");
    expect(again.assignments.map((assignment) => assignment.runId)).toEqual([runIdOf(harness.environment, undelivered!.number)]);
    expect([undelivered!.attempt, undelivered!.nonce === lost]).toEqual([1, false]);
  });

  it("end at once when a higher incarnation of the worker says Hello; a lower one is refused", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", incarnation: 5, tasks: ["a"] });
    const [run] = harness.trigger("a");
    worker.send({ accepted: [tokenFor(run!)] });
    harness.connect({ id: "w", incarnation: 6, tasks: ["a"] });
    expect([run!.phase, run!.attempt]).toEqual(["assigned", 2]);
    expect(harness.connect({ id: "w", incarnation: 5, tasks: ["a"] }).connection).toBeUndefined();
  });

  it("tell a worker of what it holds and was not given", () => {
    const harness = new EngineHarness();
    const stranger = new Uint8Array(28).fill(7);
    const worker = harness.connect({ id: "w", tasks: ["a"], held: [{ token: stranger, openWaits: [] }] });
    expect(worker.frames[0]?.lost).toEqual([stranger]);
  });

  it("refuse a result with a stale token, and nothing changes", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [run] = harness.trigger("a");
    const stale = tokenFor(run!);
    harness.connect({ id: "w", incarnation: 2, tasks: ["a"] });
    const before = run!.nonce;
    const [answer] = new HarnessWorker(harness, [...harness.volatile.connections.values()][0]).succeed(stale);
    expect(answer?.receipts[0]?.disposition).toBe(ResultDisposition.STALE);
    expect([run!.phase, run!.nonce]).toEqual(["assigned", before]);
    void worker;
  });

  it("ask for the full list when the digest does not match", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    const [run] = harness.trigger("a");
    worker.send({ accepted: [tokenFor(run!)] });
    const right = { sequence: 1n, assignmentSequence: 1n, heldCount: 1, heldDigest: run!.nonce };
    expect(worker.send({ heartbeat: right })[0]?.heartbeat?.listHeld).toBe(false);
    expect(worker.send({ heartbeat: { ...right, heldCount: 0, heldDigest: 0n } })[0]?.heartbeat?.listHeld).toBe(true);
    worker.send({ heldList: { assignmentSequence: 1n, held: [] } });
    expect([run!.phase, run!.attempt]).toEqual(["assigned", 2]);
  });

  it("take nothing back that is still on its way, whatever the worker has seen on earlier streams or from earlier owners", () => {
    const harness = new EngineHarness();
    for (const anew of [() => {}, () => harness.restart()]) {
      harness.trigger("a", 10);
      const before = harness.connect({ id: "w", tasks: ["a"] });
      const highest = before.assignments.at(-1)!.sequence;
      for (const { token } of before.accept()) before.succeed(token);
      anew();
      const worker = harness.connect({ id: "w", tasks: ["a"] });
      const [run] = harness.trigger("a");
      const { nonce } = run!;
      // This list left before the assignment had arrived.
      worker.send({ heldList: { assignmentSequence: highest, held: [] } });
      expect([run!.phase, run!.nonce]).toEqual(["assigned", nonce]);
      // And this one after it should have.
      worker.send({ heldList: { assignmentSequence: BigInt(worker.connection!.assignments), held: [] } });
      expect([run!.phase, run!.attempt]).toEqual(["assigned", 1]);
      expect(run!.nonce).not.toBe(nonce);
      worker.succeed(tokenFor(run!));
    }
  });

  it("offer elsewhere what is not accepted in time, at no cost", () => {
    const harness = new EngineHarness();
    harness.connect({ id: "deaf", tasks: ["a"] });
    const [run] = harness.trigger("a");
    harness.advance(5_000);
    expect([run!.phase, run!.attempt]).toEqual(["assigned", 1]);
    expect(harness.log.at(-1)?.events.map(({ event }) => event.case)).toEqual(["runReturned", "runAssigned"]);
  });
});

describe("an assignment that waits for the log", () => {
  it("is not offered elsewhere: both offers would leave, and the run would be executed twice", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a"] });
    harness.logIsAway = true;
    const [run] = harness.trigger("a");
    const { nonce } = run!;
    harness.advance(7_000);
    expect([run!.phase, run!.nonce]).toEqual(["assigned", nonce]);
    worker.send({ heartbeat: { sequence: 1n } });
    harness.logIsBack();
    harness.advance(4_999);
    expect(run!.nonce).toBe(nonce);
    harness.advance(1);
    expect(run!.nonce).not.toBe(nonce);
  });
});

describe("waiting", () => {
  const parentAndChild = () => {
    const harness = new EngineHarness();
    const worker = harness.connect({
      id: "w",
      tasks: [
        { id: "parent", queue: "q", concurrencyLimit: 1 },
        { id: "child", queue: "q" },
      ],
      slots: 1,
    });
    const [parent] = harness.trigger("parent");
    worker.send({ accepted: [tokenFor(parent!)] });
    const [outcome] = worker.send({
      commands: [{ token: tokenFor(parent!), commandId: 1, command: { case: "triggerAndWait", value: { waitId: 1, items: [item("child")] } } }],
    });
    return { harness, worker, parent: parent!, child: harness.run(parent!.number + 1), outcome };
  };

  it("gives back the queue's slot and the worker's, so that parent and child can share a queue of one", () => {
    const { parent, child, outcome } = parentAndChild();
    expect(outcome?.commandOutcomes[0]?.outcomes).toHaveLength(1);
    expect([parent.phase, child.phase]).toEqual(["waiting", "assigned"]);
    expect(child.parent).toBe(parent.number);
  });

  it("brings the child's result when it has ended and a slot is free", () => {
    const { worker, parent, child } = parentAndChild();
    const frames = worker.succeed(tokenFor(child), "42");
    const resume = frames.flatMap((frame) => frame.resumes)[0];
    expect(new TextDecoder().decode(resume?.results[0]?.output?.data)).toBe("42");
    expect(parent.phase).toBe("executing");
  });

  it("answers a repeated command as the first, without more runs", () => {
    const { harness, worker, parent } = parentAndChild();
    const count = harness.durable.runs.size;
    const [again] = worker.send({
      commands: [{ token: tokenFor(parent), commandId: 1, command: { case: "triggerAndWait", value: { waitId: 1, items: [item("child")] } } }],
    });
    expect(again?.commandOutcomes[0]?.outcomes[0]?.outcome.case).toBe("runId");
    expect(harness.durable.runs.size).toBe(count);
  });

  it("may have several waits open, and none holds a slot between results", () => {
    const { harness, worker, parent, child } = parentAndChild();
    worker.send({ commands: [{ token: tokenFor(parent), commandId: 2, command: { case: "triggerAndWait", value: { waitId: 2, items: [item("child")] } } }] });
    const second = harness.run(child.number + 1);
    worker.succeed(tokenFor(child));
    expect([parent.phase, second.phase]).toEqual(["executing", "queued"]);
    worker.send({ commands: [{ token: tokenFor(parent), commandId: 3, command: { case: "continueWaiting", value: { openWaits: [2] } } }] });
    expect([parent.phase, second.phase]).toEqual(["waiting", "assigned"]);
    worker.succeed(tokenFor(second));
    expect(parent.phase).toBe("executing");
    expect(audit(harness.durable)).toEqual([]);
  });

  it("sends a resume again to a worker that lists the wait as open", () => {
    const { harness, worker, parent, child } = parentAndChild();
    worker.succeed(tokenFor(child));
    const again = harness.connect({
      id: "w",
      tasks: [
        { id: "parent", queue: "q", concurrencyLimit: 1 },
        { id: "child", queue: "q" },
      ],
      slots: 1,
      held: [{ token: tokenFor(parent), openWaits: [1] }],
    });
    expect(again.frames.flatMap((frame) => frame.resumes).map((resume) => resume.waitId)).toEqual([1]);
  });

  it("starts a lost waiting parent again as a new attempt", () => {
    const { harness, parent } = parentAndChild();
    harness.advance(10_000);
    expect([parent.phase, parent.attempt, parent.waits]).toEqual(["queued", 1, undefined]);
  });
});

describe("cancel", () => {
  it("ends a run at once for everybody, and keeps its slot until the worker confirms", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: [{ id: "a", concurrencyLimit: 1 }] });
    const [run, next] = harness.trigger("a", 2);
    worker.send({ accepted: [tokenFor(run!)] });
    const token = tokenFor(run!);
    worker.hear(harness.step((step) => decideCancel(step, run!, "enough")));
    expect(stateOf(run!)).toBe(RunState.CANCELED);
    expect(next!.phase).toBe("queued");
    expect(worker.frames.at(-1)?.cancels[0]?.reason).toBe("enough");
    expect(worker.succeed(token)[0]?.receipts[0]?.disposition).toBe(ResultDisposition.STALE);
    expect(run!.phase).toBe("canceled");
    expect(next!.phase).toBe("assigned");
  });

  it("takes the descendants with it", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["parent", "child"] });
    const [parent] = harness.trigger("parent");
    worker.send({
      commands: [{ token: tokenFor(parent!), commandId: 1, command: { case: "trigger", value: { items: [item("child"), item("child")] } } }],
    });
    harness.step((step) => decideCancel(step, parent!, "enough"));
    expect(phasesOf(harness)).toEqual(["canceling", "canceling", "canceling"]);
  });
});

describe("run ids", () => {
  it("lead back to their number, and those of another installation do not", () => {
    const { environment } = new EngineHarness();
    for (const number of [1, 31, 32, 2 ** 31, 2 ** 44]) expect(runNumberOf(environment, runIdOf(environment, number))).toBe(number);
    expect(runNumberOf({ ...environment, tag: "else" }, runIdOf(environment, 1))).toBeUndefined();
    expect(runNumberOf(environment, "run_")).toBeUndefined();
  });
});

describe("why a run waits", () => {
  it("is said of every run that does not execute", async () => {
    const { PendingReason } = await import("@runlane/platform/gen/runlane/v1/run_pb.js");
    const harness = new EngineHarness();
    const reason = (number: number) => pendingReasonOf(harness.volatile, harness.run(number), harness.now);
    const [unknown] = harness.trigger("later");
    expect(reason(unknown!.number)).toBe(PendingReason.UNKNOWN_TASK);
    const worker = harness.connect({ id: "w", tasks: [{ id: "a", concurrencyLimit: 1 }, { id: "b" }], slots: 1 });
    const [first, second] = harness.trigger("a", 2);
    const [busy] = harness.trigger("b");
    expect(reason(first!.number)).toBe(PendingReason.PLACING);
    expect(reason(second!.number)).toBe(PendingReason.QUEUE_LIMIT);
    expect(reason(busy!.number)).toBe(PendingReason.WORKER_CAPACITY);
    worker.connection!.open = false;
    expect(reason(busy!.number)).toBe(PendingReason.NO_WORKER);
  });
});

function tokenFor(run: { number: number; attempt: number; epoch: bigint; nonce: bigint }): Uint8Array {
  const token = new Uint8Array(28);
  const view = new DataView(token.buffer);
  view.setFloat64(0, run.number);
  view.setUint32(8, run.attempt);
  view.setBigUint64(12, run.epoch);
  view.setBigUint64(20, run.nonce);
  return token;
}
