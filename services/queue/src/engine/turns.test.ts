import { describe, expect, it } from "vitest";
import { FlowScene, type SceneSetup } from "../testing/flow-scene.js";

const q = { name: "q" };
const tasks = [
  { id: "t", queue: "q" },
  { id: "u", queue: "r" },
  { id: "v", queue: "p" },
];

/** A scene that is paused, so that all of it is there before the first starts; {@link go} lets it. */
function still(setup: SceneSetup = {}): FlowScene {
  const scene = new FlowScene({ tasks, ...setup });
  scene.changeEnvironment({ paused: true });
  return scene;
}

/** Everything in the order in which it starts. */
function go(scene: FlowScene): string {
  scene.changeEnvironment({ paused: false });
  return scene.drain();
}

const oneAtATime = { queues: [{ ...q, concurrencyLimit: 1 }] };

describe("inside a key, runs start in the order of their age", () => {
  /** Name, seconds after the one before, priority in seconds. */
  const cases: readonly [title: string, runs: readonly (readonly [name: string, afterSeconds: number, prioritySeconds?: number])[], order: string][] = [
    [
      "which is that of their triggers",
      [
        ["1", 0],
        ["2", 0],
        ["3", 1],
      ],
      "1 2 3",
    ],
    [
      "and priority makes older, by seconds",
      [
        ["1", 0],
        ["2", 5, 5.001],
        ["3", 5, 9.999],
      ],
      "2 1 3",
    ],
    [
      "as old is not older: the first that came goes first",
      [
        ["1", 0],
        ["2", 5, 5],
      ],
      "1 2",
    ],
    [
      "priority below 0 makes younger",
      [
        ["1", 0, -3.5],
        ["2", 3],
        ["3", 1],
      ],
      "2 1 3",
    ],
    [
      "equal priorities change nothing",
      [
        ["1", 0, 60],
        ["2", 1, 60],
        ["3", 1, 60],
      ],
      "1 2 3",
    ],
  ];

  it.each(cases)("%s", (_, runs, order) => {
    const scene = still(oneAtATime);
    for (const [name, afterSeconds, prioritySeconds] of runs) {
      scene.pass(afterSeconds * 1_000);
      scene.trigger(name, prioritySeconds === undefined ? {} : { prioritySeconds });
    }
    expect(go(scene)).toBe(order);
  });

  it("also when they are runs of several tasks", () => {
    const scene = still({ tasks: [...tasks, { id: "x", queue: "q" }], ...oneAtATime });
    scene.trigger("1");
    scene.trigger("2", { task: "x" });
    scene.trigger("3");
    scene.trigger("4", { task: "x", limits: ["s"] });
    scene.trigger("5");
    expect(go(scene)).toBe("1 2 3 4 5");
  });

  it("which counts from the end of a delay that the trigger asked for", () => {
    const scene = still(oneAtATime);
    scene.trigger("later", { delayMs: 2_000 });
    scene.trigger("1");
    scene.pass(2_000);
    scene.trigger("2");
    expect(go(scene)).toBe("1 later 2");
  });

  it("of several workers' tasks: a worker that comes takes the oldest, though it was given up for another", () => {
    const scene = new FlowScene({ tasks: [], slots: 0 });
    const both = {
      tasks: [
        { id: "t", queue: "q" },
        { id: "x", queue: "q" },
      ],
      ...oneAtATime,
    };
    scene.connect("w", { ...both, slots: 0 });
    scene.trigger("1");
    scene.trigger("2", { task: "x" });
    scene.connect("x", { ...both, slots: 1 });
    expect(scene.drain()).toBe("1 2");
  });
});

describe("a run that comes back has its old place", () => {
  const begun = () => {
    const made = new FlowScene({ tasks, ...oneAtATime });
    made.trigger("1");
    made.pass(1_000);
    made.trigger("2 3");
    expect(made.started()).toBe("1");
    return made;
  };

  it("after a retry delay that gave its slot away", () => {
    const scene = begun();
    scene.fail("1", 60_000);
    expect(scene.started()).toBe("2");
    scene.pass(60_000);
    expect(scene.drain()).toBe("1 3");
  });

  it("after a retry without a delay", () => {
    const scene = begun();
    scene.fail("1", 0);
    expect(scene.drain()).toBe("1 2 3");
  });

  it("when its wait has ended: before younger ones that could start", () => {
    const scene = begun();
    scene.wait("1", "child", { task: "u" });
    expect(scene.started()).toBe("child 2");
    scene.end("child");
    expect(scene.running).toBe("2");
    scene.end("2");
    expect([scene.running, scene.queued]).toEqual(["1", "3"]);
  });

  it("but not before its time: a younger one with more credit goes on first", () => {
    const scene = begun();
    scene.wait("1", "child", { task: "u" });
    scene.trigger("urgent", { prioritySeconds: 60 });
    scene.end("child 2");
    expect([scene.running, scene.queued]).toEqual(["urgent", "3"]);
    scene.end("urgent");
    expect(scene.running).toBe("1");
  });

  it("when it is declined", () => {
    const scene = new FlowScene({ tasks, ...oneAtATime });
    scene.trigger("1 2");
    scene.decline("1");
    expect(scene.drain()).toBe("1 2");
  });

  it("when it is declined; what its task has declared since it was offered holds for it, as it has not started", () => {
    const scene = new FlowScene({ tasks: [{ id: "t", queue: "q" }], queues: [{ name: "q" }, { name: "closed", concurrencyLimit: 0 }] });
    scene.trigger("1", { concurrencyKey: "k" });
    scene.connect("x", { tasks: [{ id: "t", queue: "closed" }], queues: [{ name: "closed", concurrencyLimit: 0 }] });
    scene.decline("1");
    expect([scene.queued, scene.why("1")]).toMatchObject(["1", { reason: "CONCURRENCY_KEY_LIMIT", subject: "closed" }]);
    scene.changeQueue("closed", { limit: 1 });
    expect(scene.running).toBe("1");
  });
});

/** What all of them share, and has one slot. */
const gates: readonly [gate: string, setup: SceneSetup, close?: (scene: FlowScene) => void][] = [
  ["the environment", {}, (scene) => scene.changeEnvironment({ limit: 1 })],
  ["a named limit", { tasks: tasks.map((task) => ({ ...task, concurrency: { limits: ["s"] } })), limits: [{ name: "s", total: 1 }] }],
  ["a worker", { slots: 1 }],
];

describe.each(gates)("when %s has one slot", (_, setup, close) => {
  const gated = () => {
    const made = still(setup);
    close?.(made);
    return made;
  };

  it("queues take turns, one run each", () => {
    const scene = gated();
    scene.trigger("q1 q2 q3");
    scene.trigger("r1", { task: "u" });
    scene.trigger("p1 p2", { task: "v" });
    expect(go(scene)).toBe("q1 r1 p1 q2 p2 q3");
  });

  it("a queue has no more turns for having more keys; its keys take turns in it", () => {
    const scene = gated();
    for (const key of ["a", "b", "c"]) scene.trigger(`${key}1 ${key}2`, { concurrencyKey: key });
    scene.trigger("r1 r2 r3", { task: "u" });
    expect(go(scene)).toBe("a1 r1 b1 r2 c1 r3 a2 b2 c2");
  });

  it("a queue has no more turns for having more tasks", () => {
    const scene = gated();
    scene.connect("w", { ...setup, tasks: [...(setup.tasks ?? tasks), { id: "x", queue: "q", ...(setup.limits && { concurrency: { limits: ["s"] } }) }] });
    scene.trigger("t1 t2");
    scene.trigger("x1", { task: "x" });
    scene.trigger("r1 r2 r3", { task: "u" });
    expect(go(scene)).toBe("t1 r1 t2 r2 x1 r3");
  });

  it("priority is worth nothing across keys and queues", () => {
    const scene = gated();
    scene.trigger("a1", { concurrencyKey: "a" });
    scene.trigger("b1", { concurrencyKey: "b" });
    scene.trigger("b2", { concurrencyKey: "b", prioritySeconds: 1_000_000 });
    scene.trigger("r1", { task: "u", prioritySeconds: 1_000_000 });
    expect(go(scene)).toBe("a1 r1 b2 b1");
  });

  it("who comes later has the next turn after those that wait, not after all their runs", () => {
    const scene = gated();
    scene.trigger("q1 q2 q3 q4");
    scene.trigger("r1 r2", { task: "u" });
    scene.changeEnvironment({ paused: false });
    scene.end("q1");
    scene.trigger("p1", { task: "v" });
    expect(scene.drain()).toBe("q1 r1 q2 r2 p1 q3 q4");
  });
});

describe("when the total of a queue binds", () => {
  const total = { queues: [{ ...q, totalLimit: 1 }] };

  it("its keys take turns, those without a key as one of them", () => {
    const scene = still(total);
    scene.trigger("1 2 3");
    for (const key of ["a", "b"]) scene.trigger(`${key}1 ${key}2`, { concurrencyKey: key });
    expect(go(scene)).toBe("1 a1 b1 2 a2 b2 3");
  });

  it("keys of several tasks do, too", () => {
    const scene = still({ ...total, tasks: [...tasks, { id: "x", queue: "q" }] });
    scene.trigger("a1 a2", { concurrencyKey: "a" });
    scene.trigger("a3", { concurrencyKey: "a", task: "x" });
    scene.trigger("b1", { concurrencyKey: "b", task: "x" });
    scene.trigger("c1 c2", { concurrencyKey: "c" });
    expect(go(scene)).toBe("a1 b1 c1 a2 c2 a3");
  });

  it("a key whose own limit is reached lets others pass, and is behind those that could start before it could", () => {
    const scene = still({ queues: [{ ...q, concurrencyLimit: 1, totalLimit: 2 }] });
    scene.trigger("a1 a2", { concurrencyKey: "a" });
    scene.trigger("b1 b2", { concurrencyKey: "b" });
    scene.trigger("c1 c2", { concurrencyKey: "c" });
    scene.changeEnvironment({ paused: false });
    expect(scene.started()).toBe("a1 b1");
    scene.end("b1");
    expect(scene.started()).toBe("c1");
    scene.end("c1");
    expect(scene.started()).toBe("b2");
    expect(scene.drain()).toBe("c2 a2");
  });
});

it("a key that many queues share through a limit is open to all of them again: they take turns", () => {
  const limited = tasks.map((task) => ({ ...task, concurrency: { limits: ["s"] } }));
  const scene = still({ tasks: limited, limits: [{ name: "s", perKey: 1 }] });
  const key = { concurrencyKey: "k" };
  scene.trigger("q1 q2", key);
  scene.trigger("r1 r2", { task: "u", ...key });
  scene.trigger("p1", { task: "v", ...key });
  expect(go(scene)).toBe("q1 r1 p1 q2 r2");
});

describe("what cannot start blocks nobody behind it: a run", () => {
  const shared = { ...q, concurrencyLimit: 1 };
  /** Why the older run cannot start, and how it is triggered. */
  const cases: readonly [title: string, setup: SceneSetup, older: Parameters<FlowScene["trigger"]>[1]][] = [
    ["whose task nobody has", {}, { task: "nobody", queue: "q" }],
    ["of a large machine", { capacity: { milliCpus: 1_000, memoryMib: 1_024 } }, { machine: "large-2x" }],
    ["whose limit is reached", { limits: [{ name: "z", total: 0 }] }, { limits: ["z"] }],
    ["whose limit allows its key nothing", { limits: [{ name: "z", perKey: 0 }] }, { limits: ["z"], concurrencyKey: "k" }],
    ["whose task has its own limit", { tasks: [...tasks, { id: "x", queue: "q", concurrency: { total: 0 } }] }, { task: "x" }],
    ["of a paused queue", {}, { queue: "paused" }],
    ["of an unknown queue", {}, { queue: "unknown" }],
  ];

  it.each(cases)("%s", (_, setup, older) => {
    const scene = new FlowScene({ tasks, queues: [shared, { name: "paused" }], ...setup });
    scene.changeQueue("paused", { paused: true });
    scene.trigger("older", older);
    scene.trigger("younger", older?.concurrencyKey ? { concurrencyKey: older.concurrencyKey } : {});
    expect([scene.running, scene.queued]).toEqual(["younger", "older"]);
  });
});
