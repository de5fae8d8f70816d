import { setTimeout as sleep } from "node:timers/promises";
import { AbortTaskRunError, logger, queue, type RunlaneConfig, runs, task, timeout } from "@runlane/sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createTestPlatform, type TestPlatform, type TestPlatformOptions } from "./index.js";

const hello = task({ id: "kit-hello", run: async ({ name }: { name: string }) => `Hello, ${name}` });
const flaky = task({
  id: "kit-flaky",
  retry: { maxAttempts: 4, minTimeoutInMs: 60_000, maxTimeoutInMs: 3_600_000, factor: 2, randomize: false },
  run: async ({ failures }: { failures: number }, { ctx }) => {
    logger.info("attempt", { number: ctx.attempt.number });
    if (ctx.attempt.number <= failures) throw new RangeError(`failure ${ctx.attempt.number}`);
    return ctx.attempt.startedAt.toISOString();
  },
});
const jittery = task({
  id: "kit-jittery",
  run: async () => {
    throw new Error("always");
  },
});
const aborting = task({
  id: "kit-aborting",
  run: async () => {
    throw new AbortTaskRunError("no use");
  },
});
const square = task({ id: "kit-square", queue: { concurrencyLimit: 1 }, run: async (n: number) => n * n });
const sumOfSquares = task({
  id: "kit-sum-of-squares",
  run: async (numbers: number[]) => {
    const { runs: results } = await square.batchTriggerAndWait(numbers.map((payload) => ({ payload, options: { maxAttempts: 2 } })));
    let sum = 0;
    for (const result of results) sum += result.ok ? result.output : 0;
    return sum;
  },
});
const mail = queue({ name: "mail" });
const detached = task({ id: "kit-detached", run: async (name: string) => (await hello.trigger({ name }, { queue: mail.name })).id });
const endless = task({
  id: "kit-endless",
  run: async (_: undefined, { signal }) => {
    await sleep(3_600_000, undefined, { signal });
  },
});
const closed = task({ id: "kit-closed", queue: { concurrencyLimit: 0 }, run: async () => "never" });
const placed = task({
  id: "kit-placed",
  run: async (_: undefined, { ctx }) => ({ project: ctx.project.ref, machine: ctx.machine?.name, maxDuration: ctx.run.maxDuration }),
});
const echo = task({ id: "kit-echo", run: async (payload: unknown) => payload });

let platform: TestPlatform;

async function start(options?: TestPlatformOptions): Promise<TestPlatform> {
  platform = await createTestPlatform(options);
  return platform;
}

afterEach(() => platform.close());

describe("run", () => {
  test("executes a task and tells its final run", async () => {
    await start();
    expect(await platform.run(hello, { name: "Ada" })).toMatchObject({ status: "COMPLETED", output: "Hello, Ada", attemptCount: 1, payload: { name: "Ada" } });
  });

  test("skips retry delays: virtual time jumps to the moment when the next attempt is due", async () => {
    await start({ now: "2026-01-01T00:00:00Z" });
    const began = performance.now();
    const run = await platform.run(flaky, { failures: 2 });
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 3, createdAt: new Date("2026-01-01T00:00:00Z") });
    // Due times round up: an owner's timer is never early.
    expect(run.output).toMatch(/^2026-01-01T00:03:00\.00\dZ$/);
    const attempts = platform.attempts(run.id);
    expect(attempts).toMatchObject([
      { number: 1, startedAt: new Date("2026-01-01T00:00:00Z"), outcome: "failed", error: { name: "RangeError", message: "failure 1" } },
      { number: 2, outcome: "failed", error: { message: "failure 2" }, retryAt: expect.any(Date) },
      { number: 3, outcome: "completed", logs: [{ level: "info", message: "attempt", properties: { number: 3 } }] },
    ]);
    expect(attempts[0]?.retryAt).toEqual(new Date("2026-01-01T00:01:00Z"));
    expect(attempts[2]?.endedAt).toEqual(platform.now);
  });

  test("of a run that fails resolves, with its error", async () => {
    await start();
    expect(await platform.run(flaky, { failures: 9 })).toMatchObject({ status: "FAILED", attemptCount: 4, error: { message: "failure 4" } });
    expect(await platform.run(aborting)).toMatchObject({ status: "FAILED", attemptCount: 1 });
  });

  test("takes the options of a trigger", async () => {
    await start();
    expect(await platform.run(flaky, { failures: 9 }, { maxAttempts: 2 })).toMatchObject({ status: "FAILED", attemptCount: 2, maxAttempts: 2 });
  });

  test("waits for real I/O and real timers", async () => {
    const real = task({ id: "kit-real-time", run: async () => await sleep(60, "done") });
    await start();
    const before = platform.now;
    expect(await platform.run(real)).toMatchObject({ output: "done" });
    expect(platform.now.getTime() - before.getTime()).toBeLessThan(60);
  });

  test("says why a run will never end", async () => {
    await start();
    await expect(platform.run(closed)).rejects.toThrow(/kit-closed goes no further.*QUEUED \(QUEUE_LIMIT\)/);
    await platform.close();
    await start({ tasks: [sumOfSquares] });
    await expect(platform.run(square, 2)).rejects.toThrow('the platform has no task "kit-square"');
  });
});

describe("the SDK's own functions", () => {
  test("go to the platform", async () => {
    await start();
    const handle = await hello.trigger({ name: "Grace" });
    expect(await platform.waitFor(handle)).toMatchObject({ output: "Hello, Grace" });
    expect(await runs.retrieve(handle)).toMatchObject({ status: "COMPLETED" });
    expect(await hello.triggerAndWait({ name: "Alan" }).unwrap()).toBe("Hello, Alan");
  });

  test("list runs, by filters and in pages", async () => {
    await start();
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.push((await platform.run(echo, i, { tags: i % 2 ? ["odd"] : [] })).id);
    const failed = await platform.run(aborting);
    const newest = [...ids.toReversed()];
    expect((await runs.list()).data.map(({ id }) => id)).toEqual([failed.id, ...newest]);
    expect((await runs.list({ status: "FAILED" })).data).toMatchObject([{ id: failed.id, taskIdentifier: "kit-aborting" }]);
    expect((await runs.list({ tag: "odd", taskIdentifier: "kit-echo" })).data.map(({ id }) => id)).toEqual([ids[3], ids[1]]);
    const paged: string[] = [];
    for await (const { id } of runs.list({ taskIdentifier: "kit-echo", limit: 2 })) paged.push(id);
    expect(paged).toEqual(newest);
    const page = await runs.list({ limit: 2, after: ids[3] });
    expect(page.data.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect((await page.getPreviousPage()).data.map(({ id }) => id)).toEqual([ids[4], ids[3]]);
  });

  test("follow a run to its end, and see its values as they were", async () => {
    await start();
    const handle = await flaky.trigger({ failures: 2 });
    const seen: string[] = [];
    const following = (async () => {
      for await (const run of runs.subscribeToRun<typeof flaky>(handle.id)) seen.push(`${run.status} ${run.attemptCount}`);
    })();
    await platform.waitFor(handle);
    await following;
    expect(seen.at(-1)).toBe("COMPLETED 3");
    expect(seen.length).toBeGreaterThan(1);
    const dated = await platform.run(echo, { at: new Date(5) });
    for await (const run of runs.subscribeToRun<typeof echo>(dated.id)) expect(run.output).toEqual({ at: new Date(5) });
  });

  test("are followed by nobody any more once the platform is closed", async () => {
    await start();
    const handle = await endless.trigger(undefined);
    const subscription = runs.subscribeToRun(handle);
    const first = await subscription[Symbol.asyncIterator]().next();
    expect(first.value).toMatchObject({ id: handle.id });
    await platform.close();
    subscription.unsubscribe();
  });

  test("cancel a run whose code runs: its signal is aborted", async () => {
    await start();
    const handle = await endless.trigger(undefined);
    expect(await platform.waitFor(handle, "started")).toMatchObject({ attemptCount: 1 });
    await runs.cancel(handle);
    expect(await platform.waitFor(handle)).toMatchObject({ status: "CANCELED" });
    expect(platform.attempts(handle)).toMatchObject([{ outcome: "canceled" }]);
  });

  test("carry values as they do to a server, large ones too", async () => {
    await start();
    const large = "x".repeat(200_000);
    expect(await platform.run(echo, { large, nothing: undefined, when: new Date(0) })).toMatchObject({ output: { large, when: "1970-01-01T00:00:00.000Z" } });
    expect(await echo.triggerAndWait({ when: new Date(0) }).unwrap()).toEqual({ when: new Date(0) });
  });
});

describe("tasks that trigger tasks", () => {
  test("wait for their children, whose queue holds one at a time", async () => {
    await start();
    expect(await platform.run(sumOfSquares, [1, 2, 3])).toMatchObject({ status: "COMPLETED", output: 14 });
    expect(platform.calls).toMatchObject([
      { task: "kit-square", payload: 1, options: { maxAttempts: 2 }, parent: { task: "kit-sum-of-squares" } },
      { task: "kit-square", payload: 2 },
      { task: "kit-square", payload: 3 },
    ]);
  });

  test("are told apart from the test's own triggers", async () => {
    await start();
    const parent = await platform.run(detached, "Edsger");
    expect(platform.calls).toEqual([
      { task: "kit-hello", payload: { name: "Edsger" }, options: { queue: "mail" }, runId: parent.output, parent: { runId: parent.id, task: "kit-detached" } },
    ]);
    await platform.runUntilIdle();
    expect(await platform.runs()).toMatchObject([
      { id: parent.id, status: "COMPLETED" },
      { id: parent.output, status: "COMPLETED", queue: "mail", depth: 1 },
    ]);
  });

  test("show all that they asked for", async () => {
    const options = { tags: ["a", "b"], metadata: { step: 1 }, machine: "micro", maxDuration: 30, maxAttempts: 1 } as const;
    const asking = task({
      id: "kit-asking",
      run: async () => {
        await square.trigger(2, options);
        await square.trigger(3, { tags: "one", maxDuration: timeout.None });
      },
    });
    await start();
    await platform.run(asking);
    expect(platform.calls.map((call) => call.options)).toEqual([options, { tags: ["one"], maxDuration: timeout.None }]);
  });

  test("see mocks, and the real ones again afterwards", async () => {
    await start();
    const restore = platform.mock(square, async (n) => n + 100);
    expect(await platform.run(sumOfSquares, [1])).toMatchObject({ output: 101 });
    restore();
    expect(await platform.run(sumOfSquares, [3])).toMatchObject({ output: 9 });
  });

  test("see a mock that fails as a run that fails, retries and all", async () => {
    await start();
    const calls = vi.fn(() => {
      throw new Error("down");
    });
    platform.mock(square, calls);
    expect(await platform.run(sumOfSquares, [1])).toMatchObject({ output: 0 });
    expect(calls).toHaveBeenCalledTimes(2);
  });
});

describe("virtual time", () => {
  test("stands still by itself, and advances as told", async () => {
    await start({ now: 1_000_000 });
    const handle = await flaky.trigger({ failures: 1 });
    await platform.advance(59_000);
    expect(await runs.retrieve(handle)).toMatchObject({ attemptCount: 1, isCompleted: false });
    expect(platform.now).toEqual(new Date(1_059_000));
    await platform.advance("2s");
    expect(await runs.retrieve(handle)).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
    expect(platform.now).toEqual(new Date(1_061_000));
  });

  test("may pass by the year", async () => {
    await start({ now: 0 });
    await platform.advance("520w");
    expect(platform.now).toEqual(new Date(520 * 7 * 86_400_000));
    expect(await platform.run(hello, { name: "again" })).toMatchObject({ status: "COMPLETED" });
  });

  test("does not wait for code that waits for something outside of it", async () => {
    await start({ patienceInMs: 20 });
    const handle = await endless.trigger(undefined);
    await platform.advance("1h");
    expect(await runs.retrieve(handle)).toMatchObject({ status: "EXECUTING" });
  });

  test("jumps nowhere once nothing is due", async () => {
    await start({ now: 0 });
    await flaky.trigger({ failures: 3 });
    await platform.runUntilIdle();
    expect(platform.now.getTime()).toBeLessThan(8 * 60_000);
    expect(await platform.runs()).toMatchObject([{ status: "COMPLETED", attemptCount: 4 }]);
  });
});

describe("chance", () => {
  async function course(seed: number) {
    await start({ seed, now: 0 });
    const { id } = await platform.run(jittery);
    const starts = platform.attempts(id).map(({ startedAt }) => startedAt.getTime());
    await platform.close();
    return { id, starts };
  }

  test("follows from the seed", async () => {
    const [first, second, other] = [await course(7), await course(7), await course(8)];
    expect(second).toEqual(first);
    expect(other.starts).not.toEqual(first.starts);
  });
});

describe("a platform", () => {
  test("is there once at a time, and leaves nothing behind", async () => {
    await start();
    await expect(createTestPlatform()).rejects.toThrow("close it first");
    await platform.run(hello, { name: "Ada" });
    await platform.close();
    await platform.close();
    await start();
    expect(await platform.runs()).toEqual([]);
  });

  test("may be closed while code runs: its signal is aborted, with fake timers too", async () => {
    let aborted = false;
    const listening = task({
      id: "kit-listening",
      run: async (_: undefined, { signal }) => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await new Promise(() => {});
      },
    });
    await start();
    await platform.waitFor(await listening.trigger(undefined), "started");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await platform.close();
    } finally {
      vi.useRealTimers();
    }
    expect(aborted).toBe(true);
  });

  test("takes the config's retries", async () => {
    await start({ config: { retries: { default: { maxAttempts: 2, minTimeoutInMs: 10 } } } });
    expect(await platform.run(jittery)).toMatchObject({ status: "FAILED", attemptCount: 2 });
  });

  test("takes what the config says for tasks that do not say it, and its hooks, until it is closed", async () => {
    const called: string[] = [];
    const config: RunlaneConfig = {
      project: "shop",
      machine: "small-1x",
      maxDuration: 60,
      retries: { default: { maxAttempts: 2, minTimeoutInMs: 10 } },
      init: async () => ({ from: "config" }),
      onStart: ({ task }) => void called.push(`config start ${task}`),
      onFailure: ({ init }) => void called.push(`config failure ${JSON.stringify(init)}`),
    };
    await start({ config, handleError: () => void called.push("config catch") });
    expect(await platform.run(placed)).toMatchObject({ output: { project: "shop", machine: "small-1x", maxDuration: 60 } });
    await platform.run(jittery);
    const failed = ["config start kit-jittery", "config catch", "config catch", 'config failure {"from":"config"}'];
    expect(called).toEqual(["config start kit-placed", ...failed]);
    await platform.close();
    await start();
    expect(await platform.run(placed)).toMatchObject({ output: { project: "default" } });
    expect(called).toHaveLength(5);
  });

  test("refuses a config that no worker would take", async () => {
    await expect(start({ config: { machine: "huge" as never } })).rejects.toThrow("config: machine");
    await start();
  });

  test("says so when fake timers have stopped the event loop under it", async () => {
    await start();
    vi.useFakeTimers();
    try {
      await expect(platform.advance(1)).rejects.toThrow("setImmediate is replaced by fake timers");
    } finally {
      vi.useRealTimers();
    }
  });

  test("leaves setTimeout to the test's fake timers, if it fakes only that", async () => {
    const patient = task({ id: "kit-patient", run: async () => await new Promise((resolve) => setTimeout(() => resolve("at last"), 3_600_000)) });
    await start();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const handle = await patient.trigger(undefined);
      await platform.waitFor(handle, "started");
      vi.advanceTimersByTime(3_600_000);
      expect(await platform.waitFor(handle)).toMatchObject({ output: "at last" });
    } finally {
      vi.useRealTimers();
    }
  });
});
