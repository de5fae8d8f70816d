import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replayed } from "../testing/engine-harness.js";
import { FlowScene } from "../testing/flow-scene.js";

/** A rate: so many starts in so many milliseconds, so many at once. */
type Rate = readonly [limit: number, periodMs: number, burst: number];

const rateOf = ([limit, periodMs, burst]: Rate) => ({
  limit,
  burst,
  period: { seconds: BigInt(Math.floor(periodMs / 1_000)), nanos: (periodMs % 1_000) * 1e6 },
});

/** A scene whose queue q has rates. */
function rated({ rate, keyRate }: { readonly rate?: Rate; readonly keyRate?: Rate }): FlowScene {
  return new FlowScene({ queues: [{ name: "q", ...(rate && { rateLimit: rateOf(rate) }), ...(keyRate && { keyRateLimit: rateOf(keyRate) }) }] });
}

/** When runs start, in milliseconds from now: the engine is woken when it asks for it and not before, and each time there is something to start. */
function starts(scene: FlowScene): string[] {
  const times: string[] = [];
  const now = scene.harness.now;
  for (;;) {
    const started = scene.started();
    if (started === "" && scene.harness.now > now) throw new Error(`it was woken in vain after ${scene.harness.now - now} ms`);
    if (started !== "") times.push(...started.split(" ").map((name) => `${name}@${scene.harness.now - now}`));
    if (scene.queued === "") return times;
    scene.pass(scene.sleep ?? Number.NaN);
  }
}

describe("a rate limit", () => {
  /** Weights of the runs; undefined: they name none. */
  const cases: readonly [title: string, rate: Rate, weights: readonly (number | undefined)[], times: readonly number[]][] = [
    [
      "lets so many start at once as its burst is, and then one whenever there is a token",
      [2, 1_000, 3],
      [undefined, undefined, undefined, undefined, undefined],
      [0, 0, 0, 500, 1_000],
    ],
    ["has its limit as its burst, unless it says otherwise", [2, 1_000, 0], [1, 1, 1, 1], [0, 0, 500, 1_000]],
    ["counts to the millisecond, rounds up, and loses nothing by it", [3, 1_000, 2], [1, 1, 1, 1, 1, 1], [0, 0, 334, 667, 1_000, 1_334]],
    ["of one at once is never fuller than that: there rounding costs up to a millisecond a start", [3, 1_000, 1], [1, 1, 1, 1], [0, 334, 668, 1_002]],
    ["may bring several tokens a millisecond", [3_000, 1_000, 3], [1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 2]],
    ["may be slow", [1, 86_400_000, 1], [1, 1], [0, 86_400_000]],
    ["takes the weight of a run", [10, 1_000, 10], [4, 6, 5, 10], [0, 0, 500, 1_500]],
    ["lets what weighs more than the burst start from a full bucket; it is paid for afterwards", [10, 1_000, 10], [1, 30, 1], [0, 100, 2_200]],
  ];

  it.each(cases)("%s", (_, rate, weights, times) => {
    const scene = rated({ rate });
    scene.changeQueue("q", { paused: true });
    for (const [i, weight] of weights.entries()) scene.trigger(`${i}`, weight === undefined ? {} : { weight });
    scene.changeQueue("q", { paused: false });
    expect(starts(scene)).toEqual(times.map((time, i) => `${i}@${time}`));
  });

  it("saves up to its burst while nothing starts, and no more", () => {
    const scene = rated({ rate: [1, 1_000, 2] });
    scene.trigger("1 2");
    scene.pass(60_000);
    scene.trigger("3 4 5");
    expect(starts(scene).join(" ")).toBe("1@0 2@0 3@0 4@0 5@1000");
  });

  it("saves up while the queue is paused, too", () => {
    const scene = rated({ rate: [1, 1_000, 2] });
    scene.trigger("1 2 3 4 5 6");
    scene.changeQueue("q", { paused: true });
    scene.pass(60_000);
    expect([scene.started(), scene.sleep]).toEqual(["1 2", undefined]);
    scene.changeQueue("q", { paused: false });
    expect(starts(scene)).toEqual(["3@0", "4@0", "5@1000", "6@2000"]);
  });

  it("keeps the order: a light run does not pass a heavy one that saves for its start", () => {
    const scene = rated({ rate: [1, 1_000, 4] });
    scene.trigger("1", { weight: 3 });
    scene.trigger("heavy", { weight: 4 });
    scene.trigger("light");
    expect(starts(scene)).toEqual(["1@0", "heavy@3000", "light@4000"]);
  });

  it("does not wait for a run that is cancelled: what comes next may be lighter", () => {
    const scene = rated({ rate: [1, 1_000, 4] });
    scene.trigger("1", { weight: 3 });
    scene.trigger("heavy", { weight: 4 });
    scene.trigger("light");
    scene.cancel("heavy");
    expect(starts(scene)).toEqual(["1@0", "light@0"]);
  });

  it("of each key is a key's own; runs without one share one", () => {
    const scene = rated({ keyRate: [1, 1_000, 1] });
    scene.trigger("1 2");
    scene.trigger("a1 a2", { concurrencyKey: "a" });
    scene.pass(400);
    scene.trigger("b1 b2", { concurrencyKey: "b" });
    expect(starts(scene)).toEqual(["1@0", "a1@0", "b1@0", "2@600", "a2@600", "b2@1000"]);
  });

  it("of a queue lets keys take turns, and that of each key holds as well", () => {
    const scene = rated({ rate: [1, 1_000, 1], keyRate: [1, 3_000, 1] });
    scene.trigger("a1 a2", { concurrencyKey: "a" });
    scene.trigger("b1 b2", { concurrencyKey: "b" });
    expect(starts(scene)).toEqual(["a1@0", "b1@1000", "a2@3000", "b2@4000"]);
  });

  it("is asked last: what waits for a slot takes no token", () => {
    const scene = new FlowScene({ queues: [{ name: "q", concurrencyLimit: 1, rateLimit: rateOf([1, 1_000, 1]) }] });
    scene.trigger("1 2 3");
    scene.pass(60_000);
    expect(scene.started()).toBe("1");
    scene.end("1");
    expect(scene.started()).toBe("2");
    scene.end("2");
    expect([scene.started(), scene.sleep]).toEqual(["", 1_000]);
  });

  it("counts starts, not attempts that keep their slot nor parents that go on; a retry that stood in the queue is a start", () => {
    const scene = rated({ rate: [1, 40_000, 1] });
    scene.trigger("1");
    scene.fail("1", 1_000);
    scene.pass(1_000);
    expect(scene.started()).toBe("1 1");
    scene.wait("1", "child", { queue: "task/t" });
    scene.end("child");
    expect([scene.started(), scene.running]).toEqual(["child", "1"]);
    scene.fail("1", 30_000);
    scene.pass(30_000);
    expect([scene.started(), scene.why("1").dueIn]).toEqual(["", 9_000]);
    scene.pass(9_000);
    expect(scene.started()).toBe("1");
  });

  it("has back what a start took that did not happen", () => {
    const scene = rated({ rate: [1, 1_000, 5], keyRate: [1, 1_000, 5] });
    scene.trigger("1 2", { weight: 3 });
    scene.decline("1");
    expect(scene.started()).toBe("1");
    expect(scene.sleep).toBe(1_000);
  });

  it("that is declared anew keeps how full it was; one that is taken away holds nobody", () => {
    const scene = rated({ rate: [1, 1_000, 4] });
    const declare = (rate?: Rate) => scene.connect("w", { queues: [{ name: "q", ...(rate && { rateLimit: rateOf(rate) }) }] });
    scene.trigger("1 2 3 4 5 6 7");
    scene.pass(500);
    expect(scene.started()).toBe("1 2 3 4");
    declare([1, 100, 4]);
    expect([scene.started(), scene.sleep]).toEqual(["", 50]);
    scene.pass(50);
    expect(scene.started()).toBe("5");
    declare();
    expect(scene.started()).toBe("6 7");
  });

  it("holds as before after a restart, also for keys that have no runs", () => {
    const scene = rated({ rate: [2, 1_000, 3], keyRate: [1, 10_000, 1] });
    scene.trigger("a1", { concurrencyKey: "a" });
    scene.trigger("b1", { concurrencyKey: "b" });
    scene.pass(100);
    scene.end("a1");
    scene.restart();
    scene.started();
    scene.trigger("a2", { concurrencyKey: "a" });
    scene.trigger("c1 c2", { concurrencyKey: "c" });
    expect(starts(scene)).toEqual(["c1@0", "a2@9900", "c2@10000"]);
  });

  it("forgets a key without runs once it has nothing to remember of it", () => {
    const scene = rated({ keyRate: [1, 1_000, 2] });
    const keys = () => [...scene.harness.environment.queues.get("q")!.lanes.keys()].join(" ");
    for (const key of ["a", "b"]) scene.trigger(`${key}1 ${key}2`, { concurrencyKey: key });
    scene.running;
    scene.end("a1 a2");
    expect(keys()).toBe("a b");
    scene.pass(1_999);
    scene.end("b1");
    expect(keys()).toBe("a b");
    scene.pass(1);
    scene.end("b2");
    expect(keys()).toBe("");
  });
});

it("whatever is triggered when: between any two moments no more starts than the burst and what the time between brings, nothing starts late, and replay agrees", () => {
  const rate = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 5_000 }), fc.integer({ min: 1, max: 10 }));
  const triggers = fc.array(fc.record({ afterMs: fc.nat(2_000), weight: fc.integer({ min: 1, max: 10 }) }), { maxLength: 25 });
  fc.assert(
    fc.property(rate, triggers, (given, runs) => {
      const [limit, periodMs, most] = given;
      const burst = Math.max(most, ...runs.map(({ weight }) => weight));
      const scene = rated({ rate: [limit, periodMs, burst] });
      const taken: { atMs: number; weight: number }[] = [];
      // What is left, in tokens times milliseconds of the period: an account of its own.
      let level = burst * periodMs;
      let atMs = scene.harness.now;
      const note = () => {
        for (const name of scene.started().split(" ").filter(Boolean)) taken.push({ atMs: scene.harness.now, weight: runs[Number(name)]!.weight });
      };
      const until = (time: number) => {
        for (let sleep = scene.sleep; sleep !== undefined && scene.harness.now + sleep <= time; sleep = scene.sleep) {
          scene.pass(sleep);
          note();
        }
        if (scene.harness.now < time) scene.pass(time - scene.harness.now);
      };
      let time = atMs;
      const came: number[] = [];
      for (const [i, { afterMs, weight }] of runs.entries()) {
        time += afterMs;
        until(time);
        came.push(time);
        scene.trigger(`${i}`, { weight });
        note();
      }
      until(time + 1_000 * periodMs);
      expect(taken).toHaveLength(runs.length);
      for (const [i, { weight }] of runs.entries()) {
        const earliest = Math.max(came[i]!, atMs);
        level = Math.min(burst * periodMs, level + (earliest - atMs) * limit);
        const waitMs = Math.max(0, Math.ceil((weight * periodMs - level) / limit));
        expect(taken[i]!.atMs).toBe(earliest + waitMs);
        level = Math.min(burst * periodMs, level + waitMs * limit) - weight * periodMs;
        atMs = earliest + waitMs;
      }
      const bucketOf = ({ harness }: Pick<FlowScene, "harness">, durable = harness.durable) => durable.environments.get("dev")?.queues.get("q")?.bucket;
      expect(bucketOf(scene, replayed(scene.harness.log))).toEqual(bucketOf(scene));
    }),
    { numRuns: 100 },
  );
});
