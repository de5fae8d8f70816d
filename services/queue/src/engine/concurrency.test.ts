import { describe, expect, it } from "vitest";
import { FlowScene, type SceneSetup } from "../testing/flow-scene.js";

const q = { name: "q" };
const tAndU = [
  { id: "t", queue: "q" },
  { id: "u", queue: "r" },
];
const holding = (...limits: string[]) => tAndU.map((task) => ({ ...task, concurrency: { limits } }));

/** What is declared, what is triggered (name, task, key), and what of it executes at once. */
const cases: readonly [title: string, setup: SceneSetup, triggers: readonly (readonly [names: string, task: string, key?: string])[], running: string][] = [
  ["a queue's limit holds for the runs without a key together", { queues: [{ ...q, concurrencyLimit: 2 }] }, [["1 2 3", "t"]], "1 2"],
  [
    "and for each key by itself: a key is a copy of the queue",
    { queues: [{ ...q, concurrencyLimit: 1 }] },
    [
      ["1 2", "t"],
      ["a1 a2", "t", "a"],
      ["b1", "t", "b"],
    ],
    "1 a1 b1",
  ],
  [
    "a total limit holds over all keys",
    { queues: [{ ...q, totalLimit: 2 }] },
    [
      ["1", "t"],
      ["a1 a2", "t", "a"],
      ["b1", "t", "b"],
    ],
    "1 a1",
  ],
  [
    "both at once: the total, and of it one for each key",
    { queues: [{ ...q, concurrencyLimit: 1, totalLimit: 2 }] },
    [
      ["a1 a2", "t", "a"],
      ["b1 b2", "t", "b"],
      ["c1", "t", "c"],
    ],
    "a1 b1",
  ],
  ["a task may say the limit of its queue", { tasks: [{ id: "t", concurrencyLimit: 1 }] }, [["1 2", "t"]], "1"],
  [
    "unless somebody declares the queue by itself: that counts",
    { tasks: [{ id: "t", queue: "q", concurrencyLimit: 1 }], queues: [{ ...q, concurrencyLimit: 2 }] },
    [["1 2 3", "t"]],
    "1 2",
  ],
  [
    "a shared limit spans queues",
    { tasks: holding("s"), limits: [{ name: "s", total: 2 }] },
    [
      ["t1", "t"],
      ["u1 u2", "u"],
    ],
    "t1 u1",
  ],
  [
    "a shared limit for each key does so key by key, and runs without one share one",
    { tasks: holding("s"), limits: [{ name: "s", perKey: 1 }] },
    [
      ["t1", "t"],
      ["u1", "u"],
      ["ta", "t", "a"],
      ["ua", "u", "a"],
      ["ub", "u", "b"],
    ],
    "t1 ta ub",
  ],
  [
    "of two shared limits a run needs both, and holds none while it lacks one",
    {
      tasks: [
        { id: "t", queue: "q", concurrency: { limits: ["s", "z"] } },
        { id: "u", queue: "r", concurrency: { limits: ["s"] } },
      ],
      limits: [
        { name: "s", total: 1 },
        { name: "z", total: 0 },
      ],
    },
    [
      ["t1", "t"],
      ["u1", "u"],
    ],
    "u1",
  ],
  [
    "a task's own limit is its own, whatever the queue",
    {
      tasks: [
        { id: "t", queue: "q", concurrency: { total: 1 } },
        { id: "u", queue: "q" },
      ],
    },
    [
      ["t1 t2", "t"],
      ["u1 u2", "u"],
    ],
    "t1 u1 u2",
  ],
  [
    "a task's own limit may be for each key",
    { tasks: [{ id: "t", queue: "q", concurrency: { perKey: 1, total: 2 } }] },
    [
      ["a1 a2", "t", "a"],
      ["b1", "t", "b"],
      ["c1", "t", "c"],
    ],
    "a1 b1",
  ],
  [
    "a limit that nobody has declared limits nothing",
    { tasks: holding("s") },
    [
      ["t1 t2", "t"],
      ["u1", "u"],
    ],
    "t1 t2 u1",
  ],
  [
    "all together: the tightest binds each run",
    {
      tasks: holding("s"),
      queues: [
        { ...q, concurrencyLimit: 1 },
        { name: "r", totalLimit: 2 },
      ],
      limits: [{ name: "s", total: 3, perKey: 2 }],
    },
    [
      ["ta ta2", "t", "a"],
      ["tb", "t", "b"],
      ["ua", "u", "a"],
      ["ub", "u", "b"],
    ],
    "ta tb ua",
  ],
];

describe("limits", () => {
  it.each(cases)("%s", (_, setup, triggers, running) => {
    const scene = new FlowScene(setup);
    for (const [names, task, concurrencyKey] of triggers) scene.trigger(names, { task, ...(concurrencyKey && { concurrencyKey }) });
    expect(scene.running).toBe(running);
    for (const limit of setup.limits ?? []) scene.changeLimit(limit.name ?? "", { total: 100 });
    scene.drain();
    expect(scene.queued).toBe("");
  });

  it("of a trigger replace the shared ones of its task; the task's own stays", () => {
    const tasks = [{ id: "t", queue: "q", concurrency: { total: 2, limits: ["s"] } }];
    const scene = new FlowScene({
      tasks,
      limits: [
        { name: "s", total: 1 },
        { name: "z", total: 10 },
      ],
    });
    scene.trigger("s1 s2");
    scene.trigger("z1 z2", { limits: ["z"] });
    expect(scene.running).toBe("s1 z1");
    scene.end("z1");
    scene.trigger("n1 n2", { limits: [] });
    expect(scene.running).toBe("s1 z2");
    expect(scene.drain()).toContain("n1 n2");
  });

  it.each([
    [2, 1, "1 2"],
    [2, 1.5, "1 2 a"],
    [2, 1.7, "1 2 a"],
    [2, 2, "1 2 a b"],
    [2, 10, "1 2 a b"],
  ])("of an environment, %d with burst %d: all queues together that often, one queue never more than the limit", (limit, burst, running) => {
    const scene = new FlowScene({ tasks: tAndU });
    scene.changeEnvironment({ limit, burst });
    scene.trigger("1 2 3");
    scene.trigger("a b c", { task: "u" });
    expect(scene.running).toBe(running);
    scene.drain();
    expect(scene.queued).toBe("");
  });

  it("with a burst are whole numbers, as people compute them", () => {
    const scene = new FlowScene({ tasks: tAndU, slots: 1_000 });
    scene.changeEnvironment({ limit: 100, burst: 1.15 });
    scene.trigger(Array.from({ length: 100 }, (_, i) => `t${i}`).join(" "));
    scene.trigger(Array.from({ length: 100 }, (_, i) => `u${i}`).join(" "), { task: "u" });
    expect(scene.running.split(" ")).toHaveLength(115);
  });
});

/** Every kind of limit, set to a number. */
const kinds: readonly [kind: string, set: (scene: FlowScene, limit: number) => void][] = [
  ["a queue", (scene, limit) => scene.changeQueue("q", { limit })],
  ["a limit over all keys", (scene, total) => scene.changeLimit("s", { total })],
  ["a limit of each key", (scene, perKey) => scene.changeLimit("s", { perKey })],
  ["one key of a limit", (scene, perKey) => scene.changeLimit("s", { perKey, key: "k" })],
  ["a task's own limit", (scene, total) => scene.changeLimit("task/t", { total })],
  ["an environment", (scene, limit) => scene.changeEnvironment({ limit })],
  ["what a queue declares of its total", (scene, totalLimit) => scene.connect("w", { ...governed, queues: [{ ...q, totalLimit }] })],
];
const governed = { tasks: [{ id: "t", queue: "q", concurrency: { total: 100, limits: ["s"] } }], queues: [q], limits: [{ name: "s" }] };

describe.each(kinds)("a limit of %s", (_, set) => {
  const open = () => new FlowScene(governed);
  const key = { concurrencyKey: "k" };

  it("may be 0: nothing starts until it is more", () => {
    const scene = open();
    set(scene, 0);
    scene.trigger("1 2", key);
    expect(scene.running).toBe("");
    set(scene, 1);
    expect(scene.running).toBe("1");
  });

  it("that is lowered under load takes nothing away: the next starts when fewer execute than it says", () => {
    const scene = open();
    scene.trigger("1 2 3 4", key);
    set(scene, 1);
    scene.trigger("5 6", key);
    scene.end("1 2 3");
    expect(scene.running).toBe("4");
    scene.end("4");
    expect(scene.running).toBe("5");
  });

  it("that is raised starts at once as many as it then allows", () => {
    const scene = open();
    set(scene, 1);
    scene.trigger("1 2 3 4", key);
    set(scene, 3);
    expect(scene.running).toBe("1 2 3");
  });

  it("holds through a restart", () => {
    const scene = open();
    set(scene, 2);
    scene.trigger("1 2 3", key);
    scene.restart();
    scene.end("1");
    scene.trigger("4", key);
    expect(scene.running).toBe("2 3");
  });
});

describe("an override", () => {
  it("holds until it is reset, whatever workers declare meanwhile; then what they declared last does", () => {
    const scene = new FlowScene({ queues: [{ ...q, concurrencyLimit: 3 }] });
    scene.changeQueue("q", { limit: 1 });
    scene.connect("w", { queues: [{ ...q, concurrencyLimit: 2 }] });
    scene.trigger("1 2 3");
    expect(scene.running).toBe("1");
    scene.changeQueue("q", { limit: "reset" });
    expect(scene.running).toBe("1 2");
  });

  it("of one key spares the others, and ends by itself, to the millisecond", () => {
    const scene = new FlowScene({ tasks: holding("s"), limits: [{ name: "s", perKey: 2 }] });
    scene.changeLimit("s", { perKey: 1, key: "a", forSeconds: 60 });
    scene.trigger("a1 a2", { concurrencyKey: "a" });
    scene.trigger("b1 b2", { concurrencyKey: "b" });
    expect([scene.running, scene.sleep]).toEqual(["a1 b1 b2", 60_000]);
    scene.restart();
    scene.pass(59_999);
    expect(scene.running).toBe("a1 b1 b2");
    scene.pass(1);
    expect(scene.running).toBe("a1 a2 b1 b2");
  });

  it("of one key that is set again ends with the later one", () => {
    const scene = new FlowScene({ tasks: holding("s"), limits: [{ name: "s", perKey: 2 }] });
    scene.changeLimit("s", { perKey: 1, key: "a", forSeconds: 60 });
    scene.changeLimit("s", { perKey: 0, key: "a", forSeconds: 120 });
    scene.trigger("a1", { concurrencyKey: "a" });
    scene.pass(60_000);
    expect(scene.running).toBe("");
    scene.pass(60_000);
    expect(scene.running).toBe("a1");
  });
});
