import { beforeEach, describe, expect, test, vi } from "vitest";
import { MetadataTarget, type UpdateRunCommand } from "#gen/runlane/v1/worker_service_pb.js";
import { logger, metadata, tags } from "../index.js";
import type { RunMetadata } from "../metadata/metadata-value.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import { AttemptUpdates, type UpdatesHost } from "./attempt-updates.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  return () => vi.useRealTimers();
});

/** A run whose server answers when it is told to. */
class FakeRun {
  readonly commands: UpdateRunCommand[] = [];
  readonly refused: string[] = [];
  readonly lines: string[] = [];
  readonly updates: AttemptUpdates;
  answers: (() => Error | undefined | Promise<Error | undefined>)[] = [];
  stored: RunMetadata = {};
  readonly #runtime: RunRuntime;

  constructor(host: Partial<UpdatesHost> = {}) {
    this.updates = new AttemptUpdates({
      tags: [],
      metadata: {},
      hasParent: true,
      send: async (command) => {
        this.commands.push(command);
        return this.answers.shift()?.();
      },
      read: async () => this.stored,
      refused: ({ message }) => this.refused.push(message),
      ...host,
    });
    this.#runtime = {
      updates: this.updates,
      ctx: {} as TaskRunContext,
      log: (level, message) => this.lines.push(`${level} ${message}`),
    } as Partial<RunRuntime> as RunRuntime;
  }

  /** Runs code inside the run. */
  in<T>(code: () => T): T {
    return runRuntimeStorage().run(this.#runtime, code);
  }

  /** What was sent, in short: [target, key, operation, value] each. */
  get sent(): unknown[][] {
    return this.commands.map((command) => command.metadata.map(({ target, key, operation }) => [MetadataTarget[target], key, operation.case, operation.value]));
  }
}

describe("metadata", () => {
  test("is what the attempt started with, and changes at once for the attempt", () => {
    const run = new FakeRun({ metadata: { count: 1, list: ["a"], user: { name: "Ada" } } });
    run.in(() => {
      expect(metadata.current()).toEqual({ count: 1, list: ["a"], user: { name: "Ada" } });
      metadata.set("status", "on its way").increment("count", 2).decrement("count").append("list", "b").append("single", 1).remove("list", "a").del("none");
      metadata.set("$.user.emails[0]", "ada@example.com").set("at", new Date(0)).set("user2", { left: undefined });
      expect(metadata.get("count")).toBe(2);
      expect(metadata.get("$.user.emails")).toEqual(["ada@example.com"]);
      expect(metadata.current()).toEqual({
        ...{ count: 2, list: ["b"], single: [1], status: "on its way", at: "1970-01-01T00:00:00.000Z", user2: {} },
        user: { name: "Ada", emails: ["ada@example.com"] },
      });
      metadata.set("status", undefined);
      expect(metadata.get("status")).toBeUndefined();
      metadata.replace({ fresh: true });
      expect(metadata.current()).toEqual({ fresh: true });
    });
  });

  test("what it gives out is a copy, and what it takes, too", () => {
    const run = new FakeRun({ metadata: { list: [1] } });
    run.in(() => {
      const given = { deep: { n: 1 } };
      metadata.set("given", given);
      given.deep.n = 2;
      (metadata.get("list") as number[]).push(2);
      (metadata.current().given as typeof given).deep.n = 3;
      expect(metadata.current()).toEqual({ list: [1], given: { deep: { n: 1 } } });
    });
  });

  test("changes of a turn leave together, in one command for each run, as few as have the same effect", async () => {
    const run = new FakeRun();
    run.in(() => {
      for (let i = 1; i <= 1_000; i += 1) metadata.increment("n").set("progress", i);
      metadata.parent.increment("done").append("names", "x");
      metadata.root.set("seen", true).update({ only: "this" });
    });
    expect(run.commands).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(run.sent).toEqual([
      [
        ["SELF", "n", "increment", 1_000],
        ["SELF", "progress", "set", "1000"],
      ],
      [
        ["PARENT", "done", "increment", 1],
        ["PARENT", "names", "append", '"x"'],
      ],
      [["ROOT", "", "replace", '{"only":"this"}']],
    ]);
  });

  test("later changes leave a second after those before, or with a flush", async () => {
    const run = new FakeRun();
    run.in(() => metadata.set("n", 1));
    await vi.advanceTimersByTimeAsync(1);
    run.in(() => metadata.set("n", 2));
    await vi.advanceTimersByTimeAsync(900);
    run.in(() => metadata.set("n", 3));
    expect(run.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(run.sent.at(-1)).toEqual([["SELF", "n", "set", "3"]]);
    await run.in(() => metadata.set("n", 4).flush());
    expect(run.sent.at(-1)).toEqual([["SELF", "n", "set", "4"]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("one command is on its way at a time, and a flush waits for all of them", async () => {
    let answer = () => {};
    const run = new FakeRun();
    run.answers = [() => new Promise((resolve) => (answer = () => resolve(undefined)))];
    const flushed: number[] = [];
    void run.in(() => metadata.set("n", 1).flush()).then(() => flushed.push(1));
    void run.in(() => metadata.set("n", 2).flush()).then(() => flushed.push(2));
    await vi.advanceTimersByTimeAsync(1);
    expect([run.sent.length, flushed]).toEqual([1, []]);
    answer();
    await vi.advanceTimersByTimeAsync(1);
    expect([run.sent.length, flushed]).toEqual([2, [1, 2]]);
  });

  test("what the server refuses is told, and holds nothing up", async () => {
    const run = new FakeRun();
    run.answers = [() => new Error("it nests too deeply")];
    await run.in(() => metadata.set("n", 1).flush());
    await run.in(() => metadata.set("n", 2).flush());
    expect(run.refused).toEqual(["it nests too deeply"]);
    expect(run.sent).toHaveLength(2);
  });

  test("many changes, and large ones, leave in several commands", async () => {
    const run = new FakeRun();
    run.in(() => {
      for (let i = 0; i < 700; i += 1) metadata.parent.append("list", i);
      for (let i = 0; i < 5; i += 1) metadata.root.append("list", "x".repeat(120_000));
    });
    await vi.advanceTimersByTimeAsync(1);
    expect(run.commands.map((command) => command.metadata.length)).toEqual([500, 200, 2, 2, 1]);
  });

  test("without a parent, parent and root are the run itself", async () => {
    const run = new FakeRun({ hasParent: false });
    await run.in(() => {
      metadata.parent.increment("n");
      metadata.root.increment("n", 2);
      expect(metadata.get("n")).toBe(3);
      return metadata.flush();
    });
    expect(run.sent).toEqual([[["SELF", "n", "increment", 3]]]);
  });

  test("refresh sees what others have changed", async () => {
    const run = new FakeRun();
    run.stored = { children: 3 };
    await run.in(() => metadata.set("mine", 1).refresh());
    expect(run.sent).toHaveLength(1);
    expect(run.in(() => metadata.current())).toEqual({ children: 3 });
  });

  test("more than 256 KiB is refused, and changes nothing", async () => {
    const run = new FakeRun();
    run.in(() => {
      for (let i = 0; i < 5_000; i += 1) metadata.set("n", i);
      metadata.set("long", "x".repeat(200_000));
      expect(() => metadata.append("more", "x".repeat(70_000))).toThrow(/metadata would have 2\d{5} bytes as JSON, and at most 262144 are allowed/);
      expect(Object.keys(metadata.current())).toEqual(["n", "long"]);
    });
    await vi.advanceTimersByTimeAsync(1);
    expect(run.sent[0]!.map((operation) => (operation as unknown[])[1])).toEqual(["n", "long"]);
  });

  test.each<[string, () => unknown, RegExp]>([
    ["a key that reaches into objects", () => metadata.set("__proto__", 1), /not allowed as a key/],
    ["a path that does", () => metadata.set("$.a.constructor.b", 1), /not allowed as a key/],
    ["another run's, too", () => metadata.parent.set("__proto__", 1), /not allowed as a key/],
    ["a circle", () => metadata.set("a", circle()), /metadata.set: the value cannot be written as JSON/],
    ["what is no number", () => metadata.increment("a", Number.NaN), /metadata.increment: NaN is no number/],
    ["metadata that is no object", () => metadata.replace([] as unknown as Record<string, unknown>), /metadata is an object/],
    ["streams", () => metadata.stream("a", []), /metadata.stream: not yet supported/],
  ])("refuses %s", (_, code, message) => {
    const run = new FakeRun();
    expect(() => run.in(code)).toThrow(message);
    expect(run.updates.unsettled).toBe(false);
  });

  test.each<[string, () => unknown]>([
    ["set", () => metadata.set("a", 1)],
    ["get", () => metadata.get("a")],
    ["current", () => metadata.current()],
    ["replace", () => metadata.replace({})],
    ["flush", () => metadata.flush()],
    ["parent.increment", () => metadata.parent.increment("a")],
  ])("metadata.%s can not be used outside a run", async (name, code) => {
    await expect(async () => code()).rejects.toThrow(`metadata.${name} can only be used inside a run`);
  });
});

describe("tags.add", () => {
  test("sends tags, blank ones and repetitions left out, behind the changes before", async () => {
    const run = new FakeRun({ tags: ["first"] });
    await run.in(async () => {
      metadata.set("a", 1);
      await tags.add(["second", " ", "second"]);
      await tags.add("third");
    });
    expect(run.commands.map(({ addTags, metadata }) => [addTags, metadata.length])).toEqual([
      [[], 1],
      [["second"], 0],
      [["third"], 0],
    ]);
  });

  test("leaves out what would be more than ten, and says so", async () => {
    const run = new FakeRun({ tags: Array.from({ length: 9 }, (_, i) => `tag-${i}`) });
    await run.in(() => tags.add(["tag-0", "ten", "eleven"]));
    await run.in(() => tags.add("twelve"));
    expect(run.commands.map(({ addTags }) => addTags)).toEqual([["tag-0", "ten"]]);
    expect(run.lines).toEqual(["error a run has at most 10 tags: left out eleven", "error a run has at most 10 tags: left out twelve"]);
  });

  test("fails as the server does, for a tag that is too long, and outside a run", async () => {
    const run = new FakeRun();
    run.answers = [() => new Error("the attempt is over")];
    await expect(run.in(() => tags.add("a"))).rejects.toThrow("the attempt is over");
    await expect(run.in(() => tags.add("x".repeat(129)))).rejects.toThrow(/at most 128 characters/);
    await expect(tags.add("a")).rejects.toThrow(/inside a run/);
  });
});

test("the logger is the run's", () => {
  const run = new FakeRun();
  run.in(() => logger.warn("careful"));
  expect(run.lines).toEqual(["warn careful"]);
});

function circle(): object {
  const one: Record<string, unknown> = {};
  return Object.assign(one, { one });
}
