import { describe, expect, it } from "vitest";
import { FlowScene } from "../testing/flow-scene.js";

const setup = {
  tasks: [
    { id: "t", queue: "q", concurrency: { limits: ["s"] } },
    { id: "u", queue: "r" },
  ],
  queues: [{ name: "q", concurrencyLimit: 2 }],
  limits: [{ name: "s" }],
};

/** What can be paused, and whether another queue stands still as well. */
const paused: readonly [what: string, pause: (scene: FlowScene, paused: boolean) => void, reason: string, others: boolean][] = [
  ["a queue", (scene, paused) => scene.changeQueue("q", { paused }), "QUEUE_PAUSED", false],
  ["a limit", (scene, paused) => scene.changeLimit("s", { paused }), "CONCURRENCY_LIMIT_PAUSED", false],
  ["an environment", (scene, paused) => scene.changeEnvironment({ paused }), "ENVIRONMENT_PAUSED", true],
];

describe.each(paused)("%s that is paused", (_, pause, reason, others) => {
  it("starts nothing, lets what executes go on, and starts what it may when it is resumed", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1");
    pause(scene, true);
    scene.trigger("2 3 4");
    scene.trigger("u1", { task: "u" });
    expect([scene.running, scene.why("2").reason]).toEqual([others ? "1" : "1 u1", reason]);
    scene.end("1");
    expect([scene.state("1"), scene.queued]).toEqual(["COMPLETED", others ? "2 3 4 u1" : "2 3 4"]);
    pause(scene, false);
    expect(scene.running).toBe("2 3 u1");
  });

  it("lets an attempt go on that keeps its slot between two tries", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1");
    pause(scene, true);
    scene.fail("1", 1_000);
    scene.pass(1_000);
    expect(scene.running).toBe("1");
  });

  it("holds back a retry that stands in the queue again, and a parent whose wait has ended", () => {
    const scene = new FlowScene(setup);
    scene.trigger("retried parent");
    scene.wait("parent", "child", { task: "u" });
    scene.fail("retried", 60_000);
    scene.started();
    pause(scene, true);
    scene.end("child");
    scene.pass(60_000);
    expect([scene.running, scene.state("retried"), scene.state("parent"), scene.why("parent").reason]).toEqual(["", "QUEUED", "WAITING", reason]);
    pause(scene, false);
    expect(scene.running).toBe("retried parent");
  });

  it("stays so through restarts and declarations", () => {
    const scene = new FlowScene(setup);
    pause(scene, true);
    scene.connect("w", { ...setup, queues: [{ name: "q", concurrencyLimit: 1 }] });
    scene.restart();
    scene.trigger("1 2");
    expect(scene.running).toBe("");
    pause(scene, false);
    expect(scene.running).toBe("1");
  });

  it("lets the time to live of what waits run out", () => {
    const scene = new FlowScene(setup);
    pause(scene, true);
    scene.trigger("1", { ttlSeconds: 60 });
    scene.trigger("2");
    scene.pass(59_999);
    expect(scene.state("1")).toBe("QUEUED");
    scene.pass(1);
    pause(scene, false);
    expect([scene.state("1"), scene.running]).toEqual(["EXPIRED", "2"]);
  });
});

it("what is paused in three ways starts when the last of them is resumed, whichever that is", () => {
  for (const last of [0, 1, 2]) {
    const scene = new FlowScene(setup);
    for (const [, pause] of paused) pause(scene, true);
    scene.trigger("1");
    for (const step of [1, 2]) paused[(last + step) % 3]![1](scene, false);
    expect(scene.running).toBe("");
    paused[last]![1](scene, false);
    expect(scene.running).toBe("1");
  }
});

describe("a queue that nobody has declared", () => {
  it("is waited for in PENDING_VERSION, and started from when somebody declares it", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1 2", { queue: "z" });
    expect([scene.running, scene.state("1")]).toEqual(["", "PENDING_VERSION"]);
    scene.connect("w", { ...setup, queues: [{ name: "z", concurrencyLimit: 1 }] });
    expect([scene.running, scene.state("2")]).toEqual(["1", "QUEUED"]);
  });

  it("is known also when it becomes the queue of a task", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1", { queue: "z" });
    scene.connect("w", { ...setup, tasks: [...setup.tasks, { id: "x", queue: "z" }] });
    expect(scene.running).toBe("1");
  });

  it("is none if it is the own queue of a known task, also of one that has another now", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1", { queue: "task/u" });
    scene.trigger("2", { queue: "task/x" });
    expect([scene.running, scene.state("2")]).toEqual(["1", "PENDING_VERSION"]);
    scene.connect("w", { ...setup, tasks: [...setup.tasks, { id: "x" }] });
    expect(scene.running).toBe("1 2");
  });

  it("may be paused before it is known, and lets times to live run out", () => {
    const scene = new FlowScene(setup);
    scene.trigger("1", { queue: "z", ttlSeconds: 60 });
    scene.trigger("2", { queue: "z" });
    scene.changeQueue("z", { paused: true });
    scene.pass(60_000);
    scene.connect("w", { ...setup, queues: [{ name: "z" }] });
    expect([scene.state("1"), scene.why("2").reason]).toEqual(["EXPIRED", "QUEUE_PAUSED"]);
  });
});
