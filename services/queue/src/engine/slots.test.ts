import { describe, expect, it } from "vitest";
import { item } from "../testing/engine-harness.js";
import { FlowScene, type SceneSetup } from "../testing/flow-scene.js";
import { queueSizeCap } from "./decide-trigger.js";

const q = { name: "q" };
const tAndU = [
  { id: "t", queue: "q" },
  { id: "u", queue: "r" },
];

/** One slot of everything that has slots. */
const one: SceneSetup = {
  tasks: [{ id: "t", queue: "q", concurrency: { perKey: 1, total: 1, limits: ["s"] } }],
  queues: [{ ...q, concurrencyLimit: 1, totalLimit: 1 }],
  limits: [{ name: "s", perKey: 1, total: 1 }],
};

function sceneOfOne(): FlowScene {
  const scene = new FlowScene(one);
  scene.changeEnvironment({ limit: 1 });
  return scene;
}

describe("slots", () => {
  it("are given back by a parent that waits, all of them: its child may need every one; and it has them again before it goes on", () => {
    const scene = sceneOfOne();
    scene.trigger("parent");
    scene.wait("parent", "child");
    scene.trigger("other");
    expect(scene.running).toBe("child");
    scene.end("child");
    expect([scene.running, scene.queued]).toEqual(["parent", "other"]);
    scene.end("parent");
    expect(scene.running).toBe("other");
  });

  it("are missing for a parent whose child has ended, until somebody gives them back", () => {
    const scene = new FlowScene({ tasks: tAndU, queues: [{ ...q, concurrencyLimit: 1 }] });
    scene.trigger("parent");
    scene.wait("parent", "child", { task: "u" });
    scene.trigger("other");
    scene.end("child");
    expect([scene.running, scene.state("parent"), scene.why("parent").reason]).toEqual(["other", "WAITING", "QUEUE_LIMIT"]);
    scene.end("other");
    expect(scene.running).toBe("parent");
  });

  it("of a lost worker come back: its runs, which are older, start elsewhere first", () => {
    const scene = sceneOfOne();
    scene.trigger("1");
    expect(scene.running).toBe("1");
    scene.trigger("2");
    scene.connect("x", one);
    scene.started();
    scene.lose("w");
    expect(scene.drain()).toBe("1 2");
  });

  it("are kept through a short delay before a retry, and given back through a long one", () => {
    const scene = sceneOfOne();
    scene.trigger("1 2");
    scene.fail("1", 29_999);
    expect([scene.running, scene.state("1")]).toEqual(["", "EXECUTING"]);
    scene.pass(29_999);
    expect(scene.running).toBe("1");
    scene.fail("1", 30_000);
    expect([scene.running, scene.state("1")]).toEqual(["2", "QUEUED"]);
  });

  it("of a cancelled run are its own until its worker says that the code has ended", () => {
    const scene = sceneOfOne();
    scene.trigger("1 2 3");
    scene.cancel("1 3");
    expect([scene.running, scene.state("1")]).toEqual(["", "CANCELED"]);
    scene.confirm("1");
    expect(scene.running).toBe("2");
    scene.drain();
    expect(scene.state("3")).toBe("CANCELED");
  });

  it("that an offer took come back when it is declined", () => {
    const scene = sceneOfOne();
    scene.connect("w", { ...one, slots: 0 });
    scene.trigger("1 2");
    scene.connect("x", { ...one, slots: 1 });
    scene.decline("1");
    expect(scene.drain()).toBe("1 2");
  });
});

it("a queue that is full refuses, and says so; others take more", () => {
  const scene = new FlowScene({ tasks: tAndU });
  scene.changeQueue("q", { paused: true });
  scene.trigger("1");
  // A backlog of ten million is told, not made.
  scene.run("1").queue.queued = queueSizeCap - 2;
  const { harness } = scene;
  const refusals = (task: string, count: number) => harness.triggerItems(Array.from({ length: count }, () => item(task))).map(({ refused }) => refused);
  expect(refusals("t", 3)).toEqual([undefined, undefined, "QUEUE_FULL"]);
  expect(refusals("t", 1)).toEqual(["QUEUE_FULL"]);
  expect(refusals("u", 1)).toEqual([undefined]);
});
