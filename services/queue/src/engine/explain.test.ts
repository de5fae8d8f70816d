import { describe, expect, it } from "vitest";
import { FlowScene, type SceneSetup, type Why } from "../testing/flow-scene.js";

const q = { name: "q" };
const second = { seconds: 1n };
const base: SceneSetup = { queues: [q], capacity: { milliCpus: 1_000, memoryMib: 1_024 } };

/** Why run "1" waits: how it comes to that, what is said, and what releases it. */
interface Case {
  readonly why: Partial<Why>;
  readonly setup?: SceneSetup;
  readonly arrange: (scene: FlowScene) => void;
  readonly release: (scene: FlowScene) => void;
}

const endHolder = (scene: FlowScene) => scene.end("holder");

const cases: readonly Case[] = [
  {
    why: {
      reason: "UNKNOWN_TASK",
      subject: "x",
      position: 1,
      message: "No worker has declared task x.",
      remedy: "Start a worker that has the task, or check its id.",
    },
    arrange: (scene) => scene.trigger("1", { task: "x" }),
    release: (scene) => scene.connect("x", { tasks: ["x"] }),
  },
  {
    why: { reason: "UNKNOWN_QUEUE", subject: "z", position: 1 },
    arrange: (scene) => scene.trigger("1", { queue: "z" }),
    release: (scene) => scene.connect("x", { queues: [{ name: "z" }] }),
  },
  {
    why: { reason: "DELAYED_BY_TRIGGER", position: 0, dueIn: 5_000 },
    arrange: (scene) => scene.trigger("1", { delayMs: 5_000 }),
    release: (scene) => scene.pass(5_000),
  },
  {
    why: { reason: "DELAYED_UNTIL", position: 0, dueIn: 60_000 },
    arrange: (scene) => {
      scene.trigger("1");
      scene.fail("1", 60_000);
    },
    release: (scene) => scene.pass(60_000),
  },
  {
    why: { reason: "WAITING_FOR_RUNS", position: 0 },
    arrange: (scene) => {
      scene.trigger("1");
      scene.wait("1", "child");
    },
    release: (scene) => scene.end("child"),
  },
  {
    why: { reason: "ENVIRONMENT_PAUSED", subject: "dev", position: 1 },
    arrange: (scene) => {
      scene.changeEnvironment({ paused: true });
      scene.trigger("1");
    },
    release: (scene) => scene.changeEnvironment({ paused: false }),
  },
  {
    why: { reason: "QUEUE_PAUSED", subject: "q", position: 1, remedy: "Resume the queue: runlane queues resume q" },
    arrange: (scene) => {
      scene.changeQueue("q", { paused: true });
      scene.trigger("1");
    },
    release: (scene) => scene.changeQueue("q", { paused: false }),
  },
  {
    why: { reason: "CONCURRENCY_LIMIT_PAUSED", subject: "s", position: 1 },
    arrange: (scene) => {
      scene.changeLimit("s", { paused: true });
      scene.trigger("1", { limits: ["s"] });
    },
    release: (scene) => scene.changeLimit("s", { paused: false }),
  },
  {
    why: { reason: "BEHIND_OTHERS", subject: "q", position: 3, message: "2 runs of queue q are before it. Of the first: Queue q has 1 of 1 runs executing." },
    setup: { queues: [{ ...q, concurrencyLimit: 1 }] },
    arrange: (scene) => scene.trigger("holder next other 1"),
    release: (scene) => {
      for (const name of ["holder", "next", "other"]) scene.end(name);
    },
  },
  {
    why: { reason: "QUEUE_LIMIT", subject: "q", limit: 1, held: 1, position: 1, message: "Queue q has 1 of 1 runs executing." },
    setup: { queues: [{ ...q, concurrencyLimit: 1 }] },
    arrange: (scene) => scene.trigger("holder 1"),
    release: endHolder,
  },
  {
    why: { reason: "CONCURRENCY_KEY_LIMIT", subject: "q", limit: 1, held: 1, position: 1, message: "Key k of queue q has 1 of 1 runs executing." },
    setup: { queues: [{ ...q, concurrencyLimit: 1 }] },
    arrange: (scene) => scene.trigger("holder 1", { concurrencyKey: "k" }),
    release: endHolder,
  },
  {
    why: { reason: "QUEUE_TOTAL_LIMIT", subject: "q", limit: 1, held: 1, position: 1 },
    setup: { queues: [{ ...q, totalLimit: 1 }] },
    arrange: (scene) => {
      scene.trigger("holder", { concurrencyKey: "a" });
      scene.trigger("1", { concurrencyKey: "b" });
    },
    release: endHolder,
  },
  {
    why: { reason: "CONCURRENCY_LIMIT", subject: "s", limit: 1, held: 1, message: "Limit s is held by 1 of 1 runs." },
    setup: { limits: [{ name: "s", total: 1 }] },
    arrange: (scene) => scene.trigger("holder 1", { limits: ["s"] }),
    release: endHolder,
  },
  {
    why: { reason: "CONCURRENCY_LIMIT", subject: "s", limit: 1, held: 1, message: "Limit s is held by 1 of 1 runs of key k." },
    setup: { limits: [{ name: "s", perKey: 1 }] },
    arrange: (scene) => scene.trigger("holder 1", { limits: ["s"], concurrencyKey: "k" }),
    release: endHolder,
  },
  {
    why: { reason: "CONCURRENCY_LIMIT", subject: "task/t", limit: 0, held: 0 },
    setup: { tasks: [{ id: "t", queue: "q", concurrency: { total: 0 } }] },
    arrange: (scene) => scene.trigger("1"),
    release: (scene) => scene.changeLimit("task/t", { total: 1 }),
  },
  {
    why: { reason: "ENVIRONMENT_LIMIT", subject: "dev", limit: 1, held: 1, message: "Environment dev has 1 of 1 runs executing." },
    arrange: (scene) => {
      scene.changeEnvironment({ limit: 1 });
      scene.trigger("holder 1");
    },
    release: endHolder,
  },
  {
    why: { reason: "ENVIRONMENT_LIMIT", subject: "dev", limit: 1, held: 1, message: "Queue q has 1 runs executing; of environment dev one queue may have 1." },
    arrange: (scene) => {
      scene.changeEnvironment({ limit: 1, burst: 2 });
      scene.trigger("holder 1");
    },
    release: endHolder,
  },
  {
    why: { reason: "RATE_LIMIT", subject: "q", dueIn: 1_000, message: "The rate limit of queue q allows its start later." },
    setup: { queues: [{ ...q, rateLimit: { limit: 1, period: second } }] },
    arrange: (scene) => scene.trigger("holder 1"),
    release: (scene) => scene.pass(1_000),
  },
  {
    why: { reason: "RATE_LIMIT", subject: "q", dueIn: 1_000, message: "The rate limit of key k of queue q allows its start later." },
    setup: { queues: [{ ...q, keyRateLimit: { limit: 1, period: second } }] },
    arrange: (scene) => scene.trigger("holder 1", { concurrencyKey: "k" }),
    release: (scene) => scene.pass(1_000),
  },
  {
    // Also where there is no worker so far: a worker alone would not release it.
    why: { reason: "RATE_LIMIT", subject: "q", dueIn: 50_000, position: 1 },
    setup: { queues: [{ ...q, rateLimit: { limit: 1, period: { seconds: 60n } } }] },
    arrange: (scene) => {
      scene.trigger("before");
      scene.end("before");
      scene.lose("w");
      scene.trigger("1");
    },
    release: (scene) => {
      scene.pass(50_000);
      expect(scene.why("1")).toMatchObject({ reason: "NO_WORKER" });
      scene.connect("x");
    },
  },
  {
    why: { reason: "NO_WORKER", subject: "t", position: 1 },
    arrange: (scene) => {
      scene.lose("w");
      scene.trigger("1");
    },
    release: (scene) => scene.connect("x"),
  },
  {
    why: { reason: "NO_WORKER_OF_VERSION", subject: "20260101.1", message: "No connected worker of version 20260101.1 has task t." },
    arrange: (scene) => {
      scene.connect("x", { buildId: "newer" });
      scene.lose("w");
      scene.trigger("1", { version: "20260101.1" });
    },
    release: (scene) => scene.connect("y", {}),
  },
  {
    why: { reason: "NO_MACHINE", subject: "large-2x" },
    arrange: (scene) => scene.trigger("1", { machine: "large-2x" }),
    release: (scene) => scene.connect("x", { capacity: { milliCpus: 8_000, memoryMib: 16_384 } }),
  },
  {
    why: { reason: "WORKER_CAPACITY", subject: "t" },
    setup: { slots: 1 },
    arrange: (scene) => scene.trigger("holder 1"),
    release: endHolder,
  },
  {
    why: { reason: "WORKER_CAPACITY", position: 0 },
    arrange: (scene) => {
      scene.trigger("1", { machine: "small-2x" });
      scene.wait("1", "child");
      scene.trigger("holder", { machine: "small-2x" });
      scene.end("child");
    },
    release: endHolder,
  },
  {
    why: { reason: "PLACING", position: 0 },
    arrange: (scene) => scene.trigger("1"),
    release: () => {},
  },
];

describe("a run that does not execute says why, where it stands, and what would release it", () => {
  it.each(cases)("$why.reason: $why.message", ({ why, setup, arrange, release }) => {
    const scene = new FlowScene({ ...base, ...setup });
    arrange(scene);
    if (why.reason !== "PLACING") expect(scene.running.split(" ")).not.toContain("1");
    const said = scene.why("1");
    expect(said).toMatchObject(why);
    expect([said.message, said.remedy]).not.toContain("");
    release(scene);
    expect(scene.running.split(" ")).toContain("1");
    expect(scene.why("1")).toMatchObject({ reason: "UNSPECIFIED", remedy: "", position: 0 });
  });

  it("has nothing to say of one that has ended", () => {
    const scene = new FlowScene();
    scene.trigger("1");
    scene.end("1");
    expect(scene.why("1")).toMatchObject({ reason: "UNSPECIFIED", message: "The run is COMPLETED.", remedy: "", position: 0 });
  });
});

it("of several reasons the one is said that must change first; when it does, the next is", () => {
  const task = { id: "x", queue: "q", concurrency: { limits: ["s"] } };
  const limits = [{ name: "s", total: 0 }];
  const scene = new FlowScene({ queues: [{ ...q, concurrencyLimit: 0, totalLimit: 0 }], limits });
  scene.changeEnvironment({ paused: true, limit: 0 });
  scene.changeQueue("z", { paused: true });
  scene.changeLimit("s", { paused: true });
  scene.trigger("older 1", { task: "x", queue: "z", machine: "large-2x", delayMs: 1_000 });
  const declared = { tasks: [{ id: "t", queue: "q" }, task], limits, slots: 0 };
  const queue = { name: "z", concurrencyLimit: 0, totalLimit: 0 };
  const small = { milliCpus: 500, memoryMib: 512 };
  const large = { milliCpus: 8_000, memoryMib: 16_384 };
  /** What is said, and what is then changed. */
  const steps: readonly [reason: string, change: () => void][] = [
    ["DELAYED_BY_TRIGGER", () => scene.pass(1_000)],
    ["UNKNOWN_TASK", () => scene.connect("w", declared)],
    ["UNKNOWN_QUEUE", () => scene.connect("w", { ...declared, queues: [queue] })],
    ["ENVIRONMENT_PAUSED", () => scene.changeEnvironment({ paused: false })],
    ["QUEUE_PAUSED", () => scene.changeQueue("z", { paused: false })],
    ["CONCURRENCY_LIMIT_PAUSED", () => scene.changeLimit("s", { paused: false })],
    ["BEHIND_OTHERS", () => scene.cancel("older")],
    ["QUEUE_LIMIT", () => scene.changeQueue("z", { limit: 1 })],
    ["QUEUE_TOTAL_LIMIT", () => scene.connect("w", { ...declared, queues: [{ ...queue, totalLimit: 1 }] })],
    ["CONCURRENCY_LIMIT", () => scene.changeLimit("s", { total: 1 })],
    ["ENVIRONMENT_LIMIT", () => scene.changeEnvironment({ limit: 1 })],
    ["NO_MACHINE", () => scene.connect("x", { ...declared, capacity: small, buildId: "build" })],
    ["NO_MACHINE", () => scene.connect("y", { ...declared, capacity: large })],
    ["WORKER_CAPACITY", () => scene.connect("y", { ...declared, capacity: large, slots: 1 })],
  ];
  for (const [reason, change] of steps) {
    expect([scene.why("1").reason, scene.running]).toEqual([reason, ""]);
    change();
  }
  expect(scene.running).toBe("1");
});
