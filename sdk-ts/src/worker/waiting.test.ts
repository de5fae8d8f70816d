import { describe, expect, test } from "vitest";
import { JournalKind } from "#gen/runlane/v1/worker_service_pb.js";
import { metadata } from "../metadata/metadata.js";
import { step } from "../step/step.js";
import { tags } from "../tags/tags.js";
import { task } from "../task/task.js";
import { JournalledRun } from "../testing/journalled-run.js";
import { wait } from "../wait/wait.js";

const child = task({ id: "child", run: async (payload: number) => payload });
/** What the run sent, but for giving its slot back. */
const sent = (run: JournalledRun) => run.commands.filter(({ command }) => command.case !== "continueWaiting");
const kinds = (run: JournalledRun) => sent(run).map(({ command }) => command.case);

describe("a run that waits and loses its worker", () => {
  test("goes on where it was: what it called before is answered, and not called again", async () => {
    const calls: string[] = [];
    const run = new JournalledRun(async () => {
      calls.push("run");
      const charged = await step("charge", async () => {
        calls.push("charge");
        return { at: new Date(0), n: 1 };
      });
      const { id } = await child.trigger(1);
      const output = await child.triggerAndWait(2).unwrap();
      calls.push("child");
      await wait.for({ hours: 1 });
      calls.push("waited");
      const { output: said } = (await wait.forToken<string>("waitpoint_1")) as { ok: true; output: string };
      return [charged, id, output, said, await step("ship", () => "shipped")];
    });
    run.start();
    run.end(await run.waiting(), { outputs: [22] });
    await run.until(() => run.openWaits[0]?.key?.kind === JournalKind.WAIT_TIME);
    run.goOn();
    await run.until(() => calls.filter((call) => call === "child").length === 2);
    run.end(run.openWaits[0]!);
    await run.until(() => run.openWaits[0]?.key?.kind === JournalKind.WAIT_TOKEN);
    run.lose();
    run.end(run.openWaits[0]!, { output: "yes" });
    run.goOn();
    expect(await run.output()).toEqual([{ at: new Date(0), n: 1 }, "run_c1", 22, "yes", "shipped"]);
    expect(calls).toEqual(["run", "charge", "child", "run", "child", "waited", "run", "child", "waited"]);
    expect(kinds(run)).toEqual(["record", "trigger", "triggerAndWait", "wait", "wait", "record"]);
  });

  test("has several waits at once, whose ends come in the order of before: a race has the same winner", async () => {
    const winners: string[] = [];
    const run = new JournalledRun(async () => {
      const waits = [wait.forToken("waitpoint_1").then(() => "token"), child.triggerAndWait(1).then(() => "child"), wait.for({ hours: 1 }).then(() => "time")];
      winners.push(await Promise.race(waits));
      await Promise.all(waits);
      await wait.for({ days: 1 });
      return winners;
    });
    run.start();
    await run.waiting(2);
    const [token, runs, time] = [...run.openWaits];
    run.end(runs!, { outputs: [1] });
    await run.until(() => winners.length === 1);
    run.goOn();
    await run.until(() => winners.length === 2);
    run.lose();
    run.end(time!);
    run.end(token!, { output: 1 });
    run.goOn();
    run.end(await run.waiting());
    expect(await run.output()).toEqual(["child", "child", "child"]);
  });

  test("gives its slot back when its code is where it was, and still waits", async () => {
    const run = new JournalledRun(async () => {
      await step("before", () => 1);
      await Promise.all([wait.forToken("waitpoint_1"), step("beside", () => 2)]);
    });
    run.start();
    await run.waiting();
    await run.until(() => run.entries.length === 3);
    run.goOn();
    const command = await run.until(() => run.commands.find(({ command: { case: name } }) => name === "continueWaiting"));
    expect(command.command.value).toMatchObject({ openWaits: [run.openWaits[0]!.waitId] });
    run.end(run.openWaits[0]!);
    await run.output();
    expect(kinds(run).filter((name) => name === "record")).toHaveLength(2);
  });

  test("calls middleware and init again, and onStart, onStartAttempt and past waits' hooks not; a wait that ended meanwhile has its onResume", async () => {
    const said: string[] = [];
    const say = (what: string) => () => void said.push(what);
    const run = new JournalledRun(
      async () => {
        said.push("run");
        await wait.for({ hours: 1 });
        await wait.forToken("waitpoint_1");
        await child.triggerAndWait(1);
      },
      {
        hooks: {
          middleware: async (params) => {
            said.push("before");
            await (params as { next(): Promise<void> }).next();
            said.push("after");
          },
          init: say("init"),
          onStart: async () => {
            said.push("start");
            await child.trigger(0);
            await step("in a hook", () => 1);
          },
          onStartAttempt: say("attempt"),
          onWait: (params) => void said.push(`wait ${(params as { wait: { type: string } }).wait.type}`),
          onResume: (params) => void said.push(`resume ${(params as { wait: { type: string } }).wait.type}`),
          onSuccess: say("success"),
        },
      },
    );
    run.start();
    run.end(await run.waiting());
    await run.until(() => run.openWaits[0]?.key?.kind === JournalKind.WAIT_TOKEN && said.includes("wait token"));
    run.goOn();
    await run.until(() => said.filter((one) => one === "run").length === 2);
    run.lose();
    run.end(run.openWaits[0]!, { output: 1 });
    run.goOn();
    run.end(await run.waiting(), { outputs: [1] });
    await run.output();
    expect(said).toEqual([
      ...["before", "init", "start", "attempt", "run", "wait duration", "resume duration", "wait token"],
      ...["before", "init", "run"],
      ...["before", "init", "run", "resume token", "wait task", "resume task", "success", "after"],
    ]);
    // What onStart called is in no journal, because nobody will ask for it again.
    expect(
      sent(run)
        .filter(({ journalKey }) => !journalKey)
        .map(({ command }) => command.case),
    ).toEqual(["trigger"]);
  });

  test("changes neither tags nor metadata again", async () => {
    const run = new JournalledRun(async () => {
      metadata.increment("count", 1);
      await tags.add("a");
      await wait.for({ hours: 1 });
      metadata.increment("count", 10);
    });
    run.start();
    const entry = await run.waiting();
    run.lose();
    run.end(entry);
    run.goOn();
    await run.output();
    const changes = run.commands.flatMap(({ command }) => (command.case === "updateRun" ? command.value.metadata.map(({ operation }) => operation.value) : []));
    expect(changes).toEqual([1, 10]);
    expect(run.commands.flatMap(({ command }) => (command.case === "updateRun" ? command.value.addTags : []))).toEqual(["a"]);
  });

  test("fails if its code ends without asking for what it had asked for, and says so", async () => {
    let changed = false;
    const run = new JournalledRun(async () => {
      if (!changed) await step("charge", () => 1);
      if (!changed) await wait.for({ hours: 1 });
      return "done";
    });
    run.start();
    await run.waiting();
    changed = true;
    run.goOn();
    const result = await run.until(() => run.result);
    expect(result).toMatchObject({
      case: "failure",
      value: { failure: { code: "JOURNAL_MISMATCH", message: expect.stringMatching(/has step "charge" \(#1\), and the code ended without/) } },
    });
    expect(result.case === "failure" && result.value.retryDelay).toBeDefined();
  });

  test("leaves when it is asked to while it does nothing but wait, and only then", async () => {
    let release = () => {};
    const run = new JournalledRun(async () => {
      const busy = step("busy", () => new Promise<void>((resolve) => (release = resolve)));
      await wait.forToken("waitpoint_1");
      await busy;
      return "done";
    });
    run.start();
    await run.waiting();
    run.evict();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(run.evicted).toBe(0);
    release();
    await run.until(() => run.evicted === 1);
    run.goOn();
    run.end(await run.waiting());
    expect(await run.output()).toBe("done");
    expect(kinds(run).filter((name) => name === "record")).toHaveLength(1);
  });

  test("is cancelled while it runs once more", async () => {
    const run = new JournalledRun(async () => {
      await wait.for({ hours: 1 });
      await wait.for({ hours: 2 });
    });
    run.start();
    await run.waiting();
    run.goOn();
    run.cancel();
    expect((await run.until(() => run.result)).case).toBeUndefined();
  });
});

describe("a wait", () => {
  test("of a short time sleeps in the process, and is in the journal afterwards", async () => {
    const run = new JournalledRun(async () => {
      await wait.for({ seconds: 0.01 });
      await wait.until({ date: new Date(Date.now() + 10) });
      await wait.until({ date: new Date(0) });
      await wait.for({ seconds: 100 });
    });
    run.start();
    const open = await run.waiting();
    expect(kinds(run)).toEqual(["record", "record", "wait"]);
    run.goOn();
    run.end(open);
    await run.output();
    expect(kinds(run)).toEqual(["record", "record", "wait"]);
    expect(sent(run)[2]!.command).toMatchObject({ case: "wait", value: { waitId: 1, condition: { case: "forMs", value: 100_000n } } });
  });

  test("until a time that has passed is an error if that is asked for, but not when the code runs once more", async () => {
    const run = new JournalledRun(async (payload) => {
      await wait.until({ date: new Date(payload as number), throwIfInThePast: true });
    });
    run.start(Date.now() - 1_000);
    await expect(run.output()).rejects.toThrow("Date is in the past");
    run.start(Date.now() + 100_000);
    const open = await run.waiting();
    run.lose();
    run.end(open);
    run.goOn(1_000);
    await run.output();
  });

  test("for a token says whether it has timed out, and is refused for one that does not exist", async () => {
    const run = new JournalledRun(async () => {
      const missing = await wait.forToken("waitpoint_2").catch((error: Error) => error.name);
      const timedOut = await wait.forToken("waitpoint_1");
      return [missing, timedOut.ok ? "completed" : timedOut.error.name];
    });
    run.start();
    run.end(await run.waiting(), { timedOut: true });
    expect(await run.output()).toEqual(["NotFoundError", "WaitpointTimeoutError"]);
  });

  test.each([
    ["wait.for", () => wait.for({ seconds: 1 })],
    ["wait.until", () => wait.until({ date: new Date() })],
    ["wait.forToken", () => wait.forToken("waitpoint_1")],
    ["step", () => step("a", () => 1)],
  ])("is possible inside a run only: %s", async (name, call) => {
    await expect(Promise.resolve().then(async () => void (await call()))).rejects.toThrow(`${name} can only be used from inside a task.run()`);
  });
});

describe("a step", () => {
  test("that has returned is not run again by a later attempt; one that threw is", async () => {
    const calls: string[] = [];
    const run = new JournalledRun(async (_, { ctx }) => {
      await step("good", () => void calls.push("good"));
      await step("bad", () => {
        calls.push("bad");
        if (ctx.attempt.number === 1) throw new TypeError("broken");
      });
      return "done";
    });
    run.start();
    await expect(run.output()).rejects.toThrow("broken");
    run.start();
    expect(await run.output()).toBe("done");
    expect(calls).toEqual(["good", "bad", "bad"]);
  });

  test("fails again as it failed when the code of its attempt runs once more", async () => {
    let calls = 0;
    const run = new JournalledRun(async () => {
      const failure = await step("bad", () => {
        calls += 1;
        throw new TypeError("broken");
      }).catch((error: Error) => `${error.name}: ${error.message}`);
      await wait.for({ hours: 1 });
      return failure;
    });
    run.start();
    const open = await run.waiting();
    run.goOn();
    run.end(open);
    expect(await run.output()).toBe("TypeError: broken");
    expect(calls).toBe(1);
  });

  test("calls its function again if it is told to", async () => {
    let calls = 0;
    const run = new JournalledRun(async () =>
      step(
        "flaky",
        () => {
          calls += 1;
          if (calls < 3) throw new Error("not yet");
          return calls;
        },
        { retry: { maxAttempts: 3, minTimeoutInMs: 1, randomize: false } },
      ),
    );
    run.start();
    expect(await run.output()).toBe(3);
    expect(kinds(run)).toEqual(["record"]);
  });

  test("that overlaps another of its name needs a key", async () => {
    const twice = (keys: (string | undefined)[]) =>
      new JournalledRun(async () => {
        const steps = keys.map((key, index) => step("same", () => new Promise((resolve) => setImmediate(resolve, index)), key === undefined ? {} : { key }));
        return await Promise.all(steps);
      });
    const without = twice([undefined, undefined]);
    without.start();
    expect(await without.until(() => without.result)).toMatchObject({
      case: "failure",
      value: { failure: { code: "JOURNAL_KEY_REQUIRED", message: expect.stringContaining('step "same" is called while another call of it runs') } },
    });
    const run = twice(["a", "b"]);
    run.start();
    expect(await run.output()).toEqual([0, 1]);
  });

  test("says what is wrong with its result", async () => {
    const run = new JournalledRun(async () => step("odd", () => () => {}));
    run.start();
    await expect(run.output()).rejects.toThrow('step "odd": its result cannot be written as JSON: it is a function');
  });
});

test("a run that never waits, triggers or steps sends nothing", async () => {
  const run = new JournalledRun(async () => "plain");
  run.start();
  expect(await run.output()).toBe("plain");
  expect(run.commands).toEqual([]);
});
