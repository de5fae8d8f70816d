import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Assignment } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it, test } from "vitest";
import { EngineHarness, item, leaseMs } from "../testing/engine-harness.js";
import { decideFrame } from "./decide-frame.js";
import { decidePromote } from "./decide-version.js";
import { pendingReasonOf } from "./pending-reason.js";
import { runMessageOf, stateOf, versionMessageOf } from "./view.js";

const [v1, v2, v3] = ["20260101.1", "20260101.2", "20260101.3"];
const minute = 60_000;

/** A harness whose workers are named by their builds: each is a version of its own, numbered in the order in which they come. */
function world() {
  const harness = new EngineHarness();
  const worker = (buildId: string, slots = 10, tasks: Parameters<typeof harness.connect>[0]["tasks"] = ["t", "child"]) =>
    harness.connect({ id: buildId, buildId, slots, tasks });
  const promote = (version: string) => {
    const record = harness.environment.versions.byNumber.get(version)!;
    return harness.step((step) => decidePromote(step, harness.environment, record));
  };
  /** Time passes, and these workers live. */
  const pass = (ms: number, ...workers: ReturnType<typeof worker>[]) => {
    for (let left = ms; left > 0; left -= leaseMs / 2) {
      harness.advance(Math.min(left, leaseMs / 2));
      for (const { connection } of workers) if (connection) harness.step((step) => decideFrame(step, connection, frame));
    }
  };
  return { harness, worker, promote, pass };
}

const frame = {
  $typeName: "runlane.v1.WorkRequest" as const,
  accepted: [],
  declined: [],
  commands: [],
  results: [],
  cancelConfirmed: [],
};

describe("a run that has not started", () => {
  it("starts on the newest version; what that has no room for, on the one before", () => {
    const { harness, worker } = world();
    worker("old");
    worker("new", 2);
    const runs = harness.trigger("t", 3);
    expect(runs.map(({ version }) => version)).toEqual([v2, v2, v1]);
  });

  it("starts on the current version although the old one had room first", () => {
    const { harness, worker } = world();
    worker("old");
    harness.trigger("t");
    worker("new");
    const [run] = harness.trigger("t");
    expect(run!.version).toBe(v2);
  });

  it("starts where its task is, also if workers with other tasks came later", () => {
    const { harness, worker } = world();
    worker("python", 10, ["p"]);
    worker("go", 10, ["g"]);
    worker("ts", 10, ["t"]);
    expect(harness.trigger("p")[0]?.version).toBe(v1);
  });

  it("starts on the version that its trigger named, which must exist", () => {
    const { harness, worker } = world();
    worker("old");
    worker("new");
    expect(harness.trigger("t", 1, { version: v1! })[0]).toMatchObject({ version: v1, phase: "assigned" });
    const before = harness.durable.nextRun;
    expect(() => harness.trigger("t", 1, { version: "20250101.1" })).toThrow(`no run ${before}`);
  });
});

describe("a run that has started", () => {
  it("is retried on its version, though a newer one has room", () => {
    const { harness, worker } = world();
    const old = worker("old");
    const [run] = harness.trigger("t");
    const [attempt] = old.accept();
    worker("new");
    old.fail(attempt!.token, 40_000);
    expect([run!.phase, run!.version]).toEqual(["delayed", v1]);
    harness.advance(5_000);
    old.send({});
    for (let i = 0; i < 4; i++) {
      harness.advance(9_000);
      old.send({});
    }
    expect(old.accept()).toHaveLength(1);
  });

  it("waits five minutes for a worker of its version, says so, and goes on with the current one", () => {
    const { harness, worker, pass } = world();
    const old = worker("old");
    const [run] = harness.trigger("t", 1, { maxAttempts: 2 });
    old.accept();
    const next = worker("new");
    pass(leaseMs, next);
    expect([RunState[stateOf(run!)], pendingReasonOf(harness.volatile, run!, harness.now)]).toEqual(["QUEUED", PendingReason.NO_WORKER_OF_VERSION]);
    pass(5 * minute - 2 * leaseMs, next);
    expect(run!.phase).toBe("queued");
    pass(2 * leaseMs, next);
    expect([run!.phase, run!.version, next.connection?.session.runs.has(run!)]).toEqual(["assigned", v2, true]);
  });

  it("is taken by a worker of its version that comes in time", () => {
    const { harness, worker, pass } = world();
    const old = worker("old");
    harness.trigger("t");
    old.accept();
    const next = worker("new");
    pass(4 * minute, next);
    const again = harness.connect({ id: "again", buildId: "old", tasks: ["t"] });
    expect(again.accept()[0]?.attemptNumber).toBe(2);
  });

  it("that becomes ready when its version is long gone waits its own five minutes", () => {
    const { harness, worker, pass } = world();
    const old = worker("old");
    const [run] = harness.trigger("t");
    const [attempt] = old.accept();
    old.fail(attempt!.token, 20 * minute);
    const next = worker("new");
    pass(20 * minute, next);
    expect(run!.phase).toBe("queued");
    pass(4 * minute, next);
    expect(run!.phase).toBe("queued");
    pass(minute, next);
    expect(run!.version).toBe(v2);
  });

  it("does not wait for a worker that is leaving", () => {
    const { harness, worker, pass } = world();
    const old = worker("old");
    const [run] = harness.trigger("t");
    const [attempt] = old.accept();
    const next = worker("new");
    old.send({ drain: {} });
    old.fail(attempt!.token, 100);
    pass(4 * minute, old, next);
    expect(run!.phase).toBe("rearmed");
    pass(minute + 10_000, old, next);
    expect(run!.version).toBe(v2);
  });
});

test("children that are waited for have their parent's version; those that are not have the current one", () => {
  const { harness, worker } = world();
  const old = worker("old");
  const [parent] = harness.trigger("t");
  const [{ token }] = old.accept() as [Assignment];
  worker("new");
  old.send({
    commands: [
      { token, commandId: 1, command: { case: "trigger", value: { items: [item("child")] } } },
      { token, commandId: 2, command: { case: "triggerAndWait", value: { waitId: 1, items: [item("child")] } } },
    ],
  });
  expect([1, 2].map((at) => harness.run(parent!.number + at).version)).toEqual([v2, v1]);
});

describe("promoting", () => {
  it("an older version lets new runs start there; the newer one starts nothing any more, and finishes what is its", () => {
    const { harness, worker, promote } = world();
    const old = worker("old", 1);
    const next = worker("new");
    const [started] = harness.trigger("t");
    const [attempt] = next.accept();
    promote(v1!);
    const [first, second] = harness.trigger("t", 2);
    expect([first!.version, second!.phase, pendingReasonOf(harness.volatile, second!, harness.now)]).toEqual([v1, "queued", PendingReason.WORKER_CAPACITY]);
    next.fail(attempt!.token, 0);
    next.send({});
    expect([started!.phase, started!.version]).toEqual(["assigned", v2]);
    old.succeed(old.accept()[0]!.token);
    expect(second!.version).toBe(v1);
    expect(
      [v1, v2].map((version) => versionMessageOf(harness.volatile, harness.environment, harness.environment.versions.byNumber.get(version!)!)),
    ).toMatchObject([
      { version: v1, buildId: "old", current: true, setAside: false, workerCount: 1 },
      { version: v2, buildId: "new", current: false, setAside: true, workerCount: 1 },
    ]);
  });

  it("holds until a version comes that was never seen; one that was set aside stays so, one that is promoted itself does not", () => {
    const { harness, worker, promote } = world();
    worker("old", 1);
    worker("bad");
    promote(v1!);
    harness.connect({ id: "bad-again", buildId: "bad", tasks: ["t"] });
    expect(harness.environment.versions.current?.version).toBe(v1);
    worker("good", 1);
    const runs = harness.trigger("t", 3);
    expect(runs.map(({ version }) => version)).toEqual([v3, v1, ""]);
    expect(pendingReasonOf(harness.volatile, runs[2]!, harness.now)).toBe(PendingReason.WORKER_CAPACITY);
    promote(v2!);
    expect(runs[2]!.version).toBe(v2);
  });

  it("takes what the version declares of its tasks, and an older worker that comes back changes nothing", () => {
    const { harness, worker, promote } = world();
    const limit = () => harness.environment.queues.get("task/t")?.keyLimit.base;
    worker("old", 10, [{ id: "t", concurrencyLimit: 1 }]);
    worker("new", 10, [{ id: "t", concurrencyLimit: 2 }]);
    expect(limit()).toBe(2);
    harness.connect({ id: "old-again", buildId: "old", tasks: [{ id: "t", concurrencyLimit: 1 }] });
    expect(limit()).toBe(2);
    promote(v1!);
    expect(limit()).toBe(1);
  });

  it("survives a restart", () => {
    const { harness, worker, promote } = world();
    worker("old");
    worker("new");
    promote(v1!);
    harness.restart();
    expect(harness.environment.versions.current?.version).toBe(v1);
    worker("new");
    const [run] = harness.trigger("t");
    expect([run!.phase, pendingReasonOf(harness.volatile, run!, harness.now)]).toEqual(["queued", PendingReason.NO_WORKER_OF_VERSION]);
    expect(runMessageOf(harness.volatile, run!, harness.now).version).toBe("");
  });
});
