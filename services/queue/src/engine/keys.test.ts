import { DebounceMode } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { describe, expect, it } from "vitest";
import { EngineHarness, type HarnessWorker, item } from "../testing/engine-harness.js";
import { decideCancel } from "./decide-cancel.js";
import { decideKeyEnd } from "./decide-reschedule.js";
import { finishedRetention } from "./durable.js";
import { IdempotencyKeys } from "./idempotency-keys.js";

const minute = 60_000;
const text = (run: { payload: { data: Uint8Array } | undefined }) => new TextDecoder().decode(run.payload?.data);

/** A worker whose one attempt, of task "parent", may give commands. */
function parent(harness: EngineHarness): { worker: HarnessWorker; command: (command: object) => ReturnType<HarnessWorker["send"]> } {
  const worker = harness.connect({ id: "parent", tasks: ["parent"], buildId: "same" });
  harness.trigger("parent");
  worker.hear(harness.advance(0));
  const { token } = worker.accept()[0]!;
  let commandId = 0;
  const command = (value: object) => {
    commandId += 1;
    return worker.send({ commands: [{ token, commandId, command: value as never }] });
  };
  return { worker, command };
}

describe("an idempotency key", () => {
  it("makes one run of two hundred triggers, in one request or in many", () => {
    const harness = new EngineHarness();
    const many = harness.triggerItems(Array.from({ length: 200 }, () => item("a", { key: "k" })));
    const more = Array.from({ length: 200 }, () => harness.triggerItems([item("a", { key: "k" })])[0]!);
    expect(new Set([...many, ...more].map(({ run }) => run)).size).toBe(1);
    expect([...many, ...more].filter(({ cached }) => !cached)).toHaveLength(1);
    expect(harness.durable.runs.size).toBe(1);
  });

  it("is one among those of its task", () => {
    const harness = new EngineHarness();
    const [a, b, other] = harness.triggerItems([item("a", { key: "k" }), item("b", { key: "k" }), item("a", { key: "l" })]);
    expect(new Set([a!.run, b!.run, other!.run]).size).toBe(3);
  });

  it("is refused when the environment holds as many as it may, until one of them has ended; those that it holds find their runs all the time", () => {
    const harness = new EngineHarness();
    Object.assign(harness.environment, { keys: new IdempotencyKeys(2) });
    const outcomes = (...keys: (string | undefined)[]) =>
      harness
        .triggerItems(keys.map((key) => item("a", key === undefined ? {} : { key, keyTtlMs: key === "short" ? 1_000 : minute })))
        .map(({ refused, cached }) => refused ?? cached);
    expect(outcomes("short", "long", "third", undefined)).toEqual([false, false, "IDEMPOTENCY_KEYS_FULL", false]);
    expect(outcomes("third", "long")).toEqual(["IDEMPOTENCY_KEYS_FULL", true]);
    harness.advance(1_000);
    expect(outcomes("third", "long")).toEqual([false, true]);
    expect(outcomes("fourth")).toEqual(["IDEMPOTENCY_KEYS_FULL"]);
  });

  it("is kept for 30 days unless its trigger says otherwise", () => {
    const harness = new EngineHarness();
    const [first] = harness.triggerItems([item("a", { key: "long" })]);
    harness.triggerItems([item("a", { key: "short", keyTtlMs: 1_000 })]);
    harness.advance(1_000);
    expect(harness.triggerItems([item("a", { key: "short" }), item("a", { key: "long" })]).map(({ cached }) => cached)).toEqual([false, true]);
    harness.advance(30 * 24 * 60 * minute - 1_001);
    expect(harness.triggerItems([item("a", { key: "long" })])).toEqual([{ ...first, cached: true }]);
    harness.advance(1);
    expect(harness.triggerItems([item("a", { key: "long" })])[0]!.cached).toBe(false);
  });

  it.each([
    ["returned", true],
    ["was cancelled", true],
    ["failed", false],
    ["expired", false],
  ])("of a run that %s is kept: %s", (how, kept) => {
    const harness = new EngineHarness();
    const run = harness.triggerItems([item("a", { key: "k", ttlSeconds: 60, maxAttempts: 1 })])[0]!.run!;
    if (how === "expired") harness.advance(minute);
    else if (how === "was cancelled") harness.step((step) => decideCancel(step, harness.run(run), "no"));
    else {
      const worker = harness.connect({ id: "w", tasks: ["a"] });
      const { token } = worker.accept()[0]!;
      if (how === "returned") worker.succeed(token);
      else worker.fail(token);
    }
    expect(harness.triggerItems([item("a", { key: "k" })])[0]!.cached).toBe(kept);
  });

  it("may be ended by somebody, once", () => {
    const harness = new EngineHarness();
    harness.triggerItems([item("a", { key: "k" })]);
    const end = () => {
      let reason: string | undefined;
      harness.step((step) => {
        reason = decideKeyEnd(step, harness.environment, "a", "k")?.reason;
      });
      return reason;
    };
    expect([end(), end()]).toEqual([undefined, "IDEMPOTENCY_KEY_NOT_FOUND"]);
    expect(harness.triggerItems([item("a", { key: "k" })])[0]!.cached).toBe(false);
  });

  it("holds after a restart", () => {
    const harness = new EngineHarness();
    const [first] = harness.triggerItems([item("a", { key: "k" })]);
    harness.restart();
    expect(harness.triggerItems([item("a", { key: "k" })])).toEqual([{ ...first, cached: true }]);
  });

  it("lets several parents wait for one run, and one parent wait for it twice", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["parent", "child"] });
    harness.trigger("parent", 2);
    worker.hear(harness.advance(0));
    const parents = worker.accept();
    for (const { token } of parents) {
      const value = { waitId: 1, items: [item("child", { key: "k" }), item("child", { key: "k" })] };
      worker.send({ commands: [{ token, commandId: 1, command: { case: "triggerAndWait", value } }] });
    }
    const children = worker.accept();
    expect(children).toHaveLength(1);
    worker.frames.length = 0;
    worker.succeed(children[0]!.token);
    const resumes = worker.frames.flatMap((frame) => frame.resumes);
    expect(resumes.map(({ results }) => results.map(({ runId }) => runId))).toEqual([0, 1].map(() => [children[0]!.runId, children[0]!.runId]));
  });

  it("of a run that has ended ends a wait at once", () => {
    const harness = new EngineHarness();
    const child = harness.connect({ id: "child", tasks: ["child"], buildId: "same" });
    harness.triggerItems([item("child", { key: "k" })]);
    child.hear(harness.advance(0));
    child.succeed(child.accept()[0]!.token, "42");
    const { command } = parent(harness);
    const frames = command({ case: "triggerAndWait", value: { waitId: 1, items: [item("child", { key: "k" })] } });
    expect(frames.flatMap(({ commandOutcomes }) => commandOutcomes[0]!.outcomes.map(({ cached }) => cached))).toEqual([true]);
    expect(frames.flatMap(({ resumes }) => resumes.flatMap(({ results }) => results.map(({ output }) => new TextDecoder().decode(output?.data))))).toEqual([
      "42",
    ]);
    expect([...harness.durable.runs.values()].filter(({ phase }) => phase === "waiting")).toEqual([]);
  });

  it("does not let a run wait for itself, or for one that waits for it", () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["a", "b"] });
    harness.triggerItems([item("a", { key: "a" })]);
    worker.hear(harness.advance(0));
    const wait = (token: Uint8Array, waitId: number, task: string, key: string) => {
      const value = { waitId, items: [item(task, { key })] };
      const frames = worker.send({ commands: [{ token, commandId: waitId, command: { case: "triggerAndWait", value } }] });
      return frames[0]!.commandOutcomes[0]!.outcomes[0]!.outcome.case;
    };
    const [a] = worker.accept();
    expect(wait(a!.token, 1, "a", "a")).toBe("error");
    expect(wait(a!.token, 2, "b", "b")).toBe("runId");
    const [b] = worker.accept();
    expect(wait(b!.token, 1, "a", "a")).toBe("error");
  });

  it("of a run that memory has forgotten has its result looked up", () => {
    const harness = new EngineHarness();
    const child = harness.connect({ id: "child", tasks: ["child"], slots: 1_000, buildId: "same" });
    const run = harness.triggerItems([item("child", { key: "k" })])[0]!.run!;
    for (let ended = 0; ended <= finishedRetention.count; ended += 1_000) {
      harness.trigger("child", 1_000);
      child.hear(harness.advance(0));
      for (const { token } of child.accept()) child.succeed(token);
    }
    expect(harness.durable.runs.has(run)).toBe(false);
    const { worker, command } = parent(harness);
    const lookups: unknown[] = [];
    const original = harness.step.bind(harness);
    harness.step = (decision) => {
      const outbox = original(decision);
      lookups.push(...outbox.lookups.map(({ numbers, waitId }) => ({ numbers, waitId })));
      return outbox;
    };
    command({ case: "triggerAndWait", value: { waitId: 7, items: [item("child", { key: "k" })] } });
    expect(lookups).toEqual([{ numbers: [run], waitId: 7 }]);
    expect(worker.connection?.session.runs.size).toBe(1);
  });
});

describe("a debounce key", () => {
  const debounced = (payload: string, more: { mode?: DebounceMode; maxDelayMs?: number; delayMs?: number } = {}) =>
    item("a", { payload, debounce: { key: "d", delayMs: 10_000, ...more } });

  it("collects triggers into one run, due so long after the last", () => {
    const harness = new EngineHarness();
    const [first] = harness.triggerItems([debounced("1")]);
    for (let i = 2; i <= 5; i++) {
      harness.advance(9_000);
      expect(harness.triggerItems([debounced(String(i))])).toEqual([{ run: first!.run, cached: true, refused: undefined }]);
    }
    harness.advance(9_999);
    const run = harness.run(first!.run!);
    expect(run.phase).toBe("deferred");
    harness.advance(1);
    expect([run.phase, text(run)]).toEqual(["queued", "1"]);
    expect(harness.triggerItems([debounced("6")])[0]!.cached).toBe(false);
  });

  it("takes the last trigger's data if that wants it, also within one request", () => {
    const harness = new EngineHarness();
    const trailing = (payload: string, tag: string) =>
      item("a", { payload, tags: [tag], maxAttempts: 7, machine: "micro", debounce: { key: "d", delayMs: 10_000, mode: DebounceMode.TRAILING } });
    const [first] = harness.triggerItems([debounced("1"), trailing("2", "two")]);
    const run = harness.run(first!.run!);
    expect([text(run), run.extras?.tags, run.askedAttempts, run.machine?.name]).toEqual(["2", ["two"], 7, "micro"]);
    harness.triggerItems([trailing("3", "three")]);
    expect([text(run), run.extras?.tags]).toEqual(["3", ["three"]]);
  });

  it("postpones a run no further than max_delay from its first trigger: then it fires, and another is made", () => {
    const harness = new EngineHarness();
    const bounded = debounced("1", { maxDelayMs: 15_000 });
    const [first] = harness.triggerItems([bounded]);
    harness.advance(5_000);
    expect(harness.triggerItems([bounded])[0]!.run).toBe(first!.run);
    harness.advance(5_000);
    const [second] = harness.triggerItems([bounded]);
    expect(second!.run).not.toBe(first!.run);
    harness.advance(5_000);
    expect([harness.run(first!.run!).phase, harness.run(second!.run!).phase]).toEqual(["queued", "deferred"]);
    expect(harness.triggerItems([bounded])[0]!.run).toBe(second!.run);
  });

  it("comes second to an idempotency key that finds a run", () => {
    const harness = new EngineHarness();
    const [held] = harness.triggerItems([item("a", { key: "k" })]);
    const both = item("a", { key: "k", debounce: { key: "d", delayMs: 10_000 } });
    expect(harness.triggerItems([both])[0]!.run).toBe(held!.run);
  });

  it("of a cancelled run collects no more", () => {
    const harness = new EngineHarness();
    const [first] = harness.triggerItems([debounced("1")]);
    harness.step((step) => decideCancel(step, harness.run(first!.run!), "no"));
    expect(harness.triggerItems([debounced("2")])[0]!.cached).toBe(false);
  });
});
