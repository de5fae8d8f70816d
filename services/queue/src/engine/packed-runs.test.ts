import { expect, it } from "vitest";
import { pictureOf } from "../testing/durable-picture.js";
import { EngineHarness, type HarnessWorker, type ItemOptions, item, replayed } from "../testing/engine-harness.js";
import { MemorySpill } from "../testing/memory-spill.js";
import { audit } from "./audit.js";
import { decideCancel } from "./decide-cancel.js";
import { positionOf } from "./explain.js";
import { runOfToken } from "./token.js";

/** A backlog of which all but the first two are packed. */
function backlog(spill = new MemorySpill()) {
  return new EngineHarness(1, { records: 2, memoryBytes: 0, spill });
}

/** Triggers without looking at what came about, which would make records of it. */
function trigger(harness: EngineHarness, count: number, options: ItemOptions = {}) {
  harness.triggerItems(Array.from({ length: count }, () => item("a", options)));
}

const packedOf = ({ durable }: EngineHarness) => [...durable.runs.packed.numbers()].sort((a, b) => a - b);

/** Executes all that comes, one by one. Returns the numbers of the runs in the order of their starts. */
function executeAll(worker: HarnessWorker): (number | undefined)[] {
  const started: (number | undefined)[] = [];
  for (let [next] = worker.accept(); next; [next] = worker.accept()) {
    started.push(runOfToken(next.token));
    worker.succeed(next.token);
  }
  return started;
}

it("starts in the order in which it came, also when a priority, a cancel and a restart come between", () => {
  const harness = backlog();
  trigger(harness, 6);
  trigger(harness, 1, { prioritySeconds: 60 });
  trigger(harness, 3);
  // The run with a priority comes before those that are packed, so it is none of them.
  expect(packedOf(harness)).toEqual([3, 4, 5, 6, 8, 9, 10]);
  harness.step((step) => decideCancel(step, harness.run(5), "no"));
  harness.restart();
  expect(packedOf(harness).length).toBeGreaterThan(0);
  expect(executeAll(harness.connect({ id: "w", slots: 1, tasks: ["a"] }))).toEqual([7, 1, 2, 3, 4, 6, 8, 9, 10]);
  expect(packedOf(harness)).toEqual([]);
  expect(audit(harness.durable)).toEqual([]);
});

it("keeps all that a trigger said", () => {
  const harness = backlog();
  trigger(harness, 2);
  const asked: ItemOptions[] = [
    { payload: '{"n":1}' },
    { concurrencyKey: "k", prioritySeconds: 5 },
    { tags: ["x"], metadata: '{"m":1}', maxAttempts: 7, machine: "micro", maxDurationSeconds: 60, weight: 3, test: true },
    { queue: "other", limits: ["shared"], concurrencyKey: "k" },
    { key: "once", keyTtlMs: 60_000 },
  ];
  harness.triggerItems(asked.map((options) => item("a", options)));
  harness.batch([item("a"), item("a")]);
  harness.advance(1_000);
  trigger(harness, 1);
  expect(packedOf(harness)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  // The replay keeps records.
  const records = replayed(harness.log);
  expect([...records.runs.packed.numbers()]).toEqual([]);
  expect(pictureOf(harness.durable)).toEqual(pictureOf(records));
});

it("is another record when it comes back, which the one that it was before does not stand for", () => {
  const harness = backlog();
  for (const prioritySeconds of [0, 10, 20]) trigger(harness, 1, { queue: "other", prioritySeconds });
  trigger(harness, 3, { queue: "other" });
  // The task gets another queue: its runs leave their list, out of order, and as their triggers named a queue they come back to it.
  const worker = harness.connect({ id: "w", slots: 1, tasks: [{ id: "a", queue: "another" }], queues: [{ name: "other" }, { name: "another" }] });
  expect(executeAll(worker)).toEqual([3, 2, 1, 4, 5, 6]);
  expect(audit(harness.durable)).toEqual([]);
});

it("stays packed when its task moves to another queue", () => {
  const harness = backlog();
  for (const concurrencyKey of ["x", "y"]) trigger(harness, 3, { concurrencyKey });
  const worker = harness.connect({ id: "w", slots: 0, tasks: [{ id: "a", queue: "another" }] });
  expect(packedOf(harness)).toEqual([3, 4, 5, 6]);
  expect(harness.environment.queues.get("another")).toMatchObject({ queued: 6, keyCount: 2 });
  expect([worker.assignments, audit(harness.durable)]).toEqual([[], []]);
  expect(executeAll(harness.connect({ id: "w", slots: 1, tasks: [{ id: "a", queue: "another" }] })).sort()).toEqual([1, 2, 3, 4, 5, 6]);
});

it("is looked at without being unpacked", () => {
  const harness = backlog();
  trigger(harness, 6);
  const run = harness.durable.runs.see(5);
  expect(run && positionOf(run)).toBe(5);
  expect(packedOf(harness)).toEqual([3, 4, 5, 6]);
  // Whoever may change it gets its record.
  expect(harness.run(5)).toBe(harness.durable.runs.get(5));
  expect(packedOf(harness)).toEqual([3, 4, 6]);
});

it("does not take runs that something else than their turn will move", () => {
  const harness = backlog();
  trigger(harness, 2);
  trigger(harness, 1, { ttlSeconds: 60 });
  trigger(harness, 1, { delayMs: 1_000 });
  trigger(harness, 1, { debounce: { key: "d", delayMs: 1_000 } });
  harness.connect({ id: "other", buildId: "one", tasks: ["b"] });
  trigger(harness, 1, { version: [...harness.environment.versions.byNumber.keys()][0] ?? "" });
  expect(packedOf(harness)).toEqual([]);
});

it("frees what it leaves behind", () => {
  const spill = new MemorySpill();
  const harness = backlog(spill);
  trigger(harness, 40, { payload: JSON.stringify("x".repeat(50_000)) });
  expect(spill.segments.size).toBe(7);
  executeAll(harness.connect({ id: "w", slots: 3, tasks: ["a"] }));
  expect(spill.segments.size).toBe(0);
});

it("keeps keys in turn, each in its order", () => {
  const harness = backlog();
  for (let round = 0; round < 3; round++) for (const concurrencyKey of ["x", "y", "z"]) trigger(harness, 2, { concurrencyKey });
  const records = new EngineHarness(1);
  for (let round = 0; round < 3; round++) for (const concurrencyKey of ["x", "y", "z"]) trigger(records, 2, { concurrencyKey });
  const worker = { id: "w", slots: 2, tasks: ["a"] };
  expect(packedOf(harness).length).toBe(16);
  expect(executeAll(harness.connect(worker))).toEqual(executeAll(records.connect(worker)));
});
