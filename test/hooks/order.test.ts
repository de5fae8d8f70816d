import { describe, test } from "vitest";
import type { Script } from "../fixtures/hooks/script.js";
import { ScriptedWorker } from "../support/scripted-worker.js";

// What is called, in which order, and what an error in it does. Judged by what the task files wrote.
const worker = new ScriptedWorker();

const begin = ["tm-before", "init", "start", "attempt"];
const again = ["tm-before", "init", "attempt"];
const succeed = ["run", 'success "done"', "complete true", "cleanup", "tm-after"];
/** The end of an attempt that is followed by another. */
const fails = (message: string) => [`error ${message}`, "catch", "cleanup", "tm-after"];
/** The end of the last one. */
const failsForGood = (message: string) => [`error ${message}`, "catch", `failure ${message}`, "complete false", "cleanup", "tm-after"];

interface Case {
  readonly when: string;
  readonly plan: Script["plan"];
  readonly calls: string[];
  /** Default COMPLETED. */
  readonly status?: string;
  /** Default 1. */
  readonly attempts?: number;
  readonly error?: { name?: string; message?: string };
  /** Default "done" if it completed. */
  readonly output?: unknown;
}

const failed = { status: "FAILED" } as const;

const cases: Case[] = [
  { when: "nothing goes wrong", plan: {}, calls: [...begin, ...succeed] },
  {
    when: "run throws once: onStart only in the first attempt, onFailure and onComplete not after it",
    plan: { run: "throw once" },
    calls: [...begin, "run", ...fails("run broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "run throws always",
    plan: { run: "throw" },
    calls: [...begin, "run", ...fails("run broke"), ...again, "run", ...failsForGood("run broke")],
    ...failed,
    attempts: 2,
    error: { name: "RangeError", message: "run broke" },
  },
  {
    when: "init throws once",
    plan: { init: "throw once" },
    calls: ["tm-before", "init", ...fails("init broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "init throws always",
    plan: { init: "throw" },
    calls: ["tm-before", "init", ...fails("init broke"), "tm-before", "init", ...failsForGood("init broke")],
    ...failed,
    attempts: 2,
    error: { message: "init broke" },
  },
  {
    when: "onStart throws: the second attempt has no onStart",
    plan: { start: "throw" },
    calls: ["tm-before", "init", "start", ...fails("start broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "onStartAttempt throws once",
    plan: { attempt: "throw once" },
    calls: [...begin, ...fails("attempt broke"), ...again, ...succeed],
    attempts: 2,
  },
  { when: "onSuccess throws: it changes nothing", plan: { success: "throw" }, calls: [...begin, ...succeed] },
  { when: "onComplete throws after a success: it changes nothing", plan: { "complete true": "throw" }, calls: [...begin, ...succeed] },
  {
    when: "onFailure and onComplete throw: the rest is called, the error stays",
    plan: { run: "throw", catch: { returns: { skipRetrying: true } }, "failure run broke": "throw", "complete false": "throw" },
    calls: [...begin, "run", ...failsForGood("run broke")],
    ...failed,
    error: { message: "run broke" },
  },
  {
    when: "onError throws: catchError decides all the same",
    plan: { run: "throw once", "error run broke": "throw" },
    calls: [...begin, "run", ...fails("run broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "catchError throws: the run ends at once, without onFailure and onComplete",
    plan: { run: "throw", catch: "throw" },
    calls: [...begin, "run", "error run broke", "catch", "cleanup", "tm-after"],
    status: "CRASHED",
    error: { name: "HANDLE_ERROR_ERROR", message: "HANDLE_ERROR_ERROR: catch broke" },
  },
  {
    when: "cleanup throws after a success: the run fails, though its hooks have heard of success",
    plan: { cleanup: "throw" },
    calls: [...begin, "run", 'success "done"', "complete true", "cleanup", "error cleanup broke", "tm-after"],
    status: "SYSTEM_FAILURE",
    error: { name: "TASK_EXECUTION_FAILED", message: "TASK_EXECUTION_FAILED: cleanup: cleanup broke" },
  },
  {
    when: "cleanup throws after a failure: the failure stays, and so does the retry",
    plan: { run: "throw once", cleanup: "throw once" },
    calls: [...begin, "run", ...fails("run broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "middleware throws before next: nothing else is called but onError; tried again",
    plan: { "tm-before": "throw once" },
    calls: ["tm-before", "error tm-before broke", ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "middleware throws before next, always: neither catchError nor onFailure hear of it",
    plan: { "tm-before": "throw" },
    calls: ["tm-before", "error tm-before broke", "tm-before", "error tm-before broke"],
    ...failed,
    attempts: 2,
    error: { name: "TASK_MIDDLEWARE_ERROR", message: "TASK_MIDDLEWARE_ERROR: tm-before broke" },
  },
  {
    when: "middleware throws after next: the output is lost, and the attempt is made again",
    plan: { "tm-after": "throw once" },
    calls: [...begin, ...succeed, "error tm-after broke", ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "middleware throws after next, always",
    plan: { "tm-after": "throw" },
    calls: [...begin, ...succeed, "error tm-after broke", ...again, ...succeed, "error tm-after broke"],
    ...failed,
    attempts: 2,
    error: { name: "TASK_MIDDLEWARE_ERROR" },
  },
  {
    when: "catchError says skipRetrying",
    plan: { run: "throw", catch: { returns: { skipRetrying: true, retryDelayInMs: 1 } } },
    calls: [...begin, "run", ...failsForGood("run broke")],
    ...failed,
  },
  {
    when: "catchError says retryDelayInMs",
    plan: { run: "throw once", catch: { returns: { retryDelayInMs: 1 } } },
    calls: [...begin, "run", ...fails("run broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "catchError asks for more attempts than there are: the last one is the last, and the hooks say so",
    plan: { run: "throw", catch: { returns: { retryDelayInMs: 1 } } },
    calls: [...begin, "run", ...fails("run broke"), ...again, "run", ...failsForGood("run broke")],
    ...failed,
    attempts: 2,
  },
  {
    when: "catchError gives retry options that are used up",
    plan: { run: "throw", catch: { returns: { retry: { maxAttempts: 1 } } } },
    calls: [...begin, "run", ...failsForGood("run broke")],
    ...failed,
  },
  {
    when: "catchError gives retry options with attempts left",
    plan: { run: "throw once", catch: { returns: { retry: { maxAttempts: 5, minTimeoutInMs: 1, randomize: false } } } },
    calls: [...begin, "run", ...fails("run broke"), ...again, ...succeed],
    attempts: 2,
  },
  {
    when: "catchError returns another error and nothing else: no retry, and the run fails with that",
    plan: { run: "throw", catch: { returns: { error: { better: true } } } },
    calls: [...begin, "run", "error run broke", "catch", 'failure {"better":true}', "complete false", "cleanup", "tm-after"],
    ...failed,
    error: { message: '{"better":true}' },
  },
  {
    when: "catchError returns an empty object: no retry",
    plan: { run: "throw", catch: { returns: {} } },
    calls: [...begin, "run", ...failsForGood("run broke")],
    ...failed,
  },
];

describe.concurrent("the hooks of a task, when", () => {
  test.for(cases)("$when", async ({ plan, calls, status = "COMPLETED", attempts = 1, error, output }, { expect }) => {
    const played = await worker.play("hooked", { plan });
    expect(played.calls).toEqual(calls);
    expect(played.run).toMatchObject({ status, attemptCount: attempts, ...(error && { error }) });
    expect(played.run.output).toEqual(status === "COMPLETED" ? (output ?? "done") : undefined);
  });
});

const configAndGlobal = ["config init", "init", "config start", "g start", "g2 start", "start", "g attempt", "attempt"];
const globalCases: Case[] = [
  {
    when: "nothing goes wrong: the config's first, then those of init.ts in their order, then the task's; middleware around all",
    plan: {},
    calls: [
      ...["gm1-before", "gm2-before", "tm-before", ...configAndGlobal, "run"],
      ...["config success", "g success", 'success "done"', "g complete", "complete true", "cleanup", "tm-after", "gm2-after", "gm1-after"],
    ],
  },
  {
    when: "run throws, and nobody decides: for onError and catchError the task's come first",
    plan: { run: "throw", "g2 catch": { returns: { skipRetrying: true } } },
    calls: [
      ...["gm1-before", "gm2-before", "tm-before", ...configAndGlobal, "run"],
      ...["error run broke", "g error", "catch", "config catch", "g catch", "g2 catch"],
      ...["config failure", "g failure", "failure run broke", "g complete", "complete false", "cleanup", "tm-after", "gm2-after", "gm1-after"],
    ],
    ...failed,
  },
  {
    when: "run throws, and one decides: no other is asked",
    plan: { run: "throw", "config catch": { returns: { skipRetrying: true } } },
    calls: [
      ...["gm1-before", "gm2-before", "tm-before", ...configAndGlobal, "run"],
      ...["error run broke", "g error", "catch", "config catch"],
      ...["config failure", "g failure", "failure run broke", "g complete", "complete false", "cleanup", "tm-after", "gm2-after", "gm1-after"],
    ],
    ...failed,
  },
  {
    when: "an outer middleware throws after next: what the inner ones have done stays done",
    plan: { "gm1-after": "throw", "config catch": { returns: { skipRetrying: true } }, "gm2-before": { returns: 1 }, "g error": "throw" },
    calls: [
      ...["gm1-before", "gm2-before", "tm-before", ...configAndGlobal, "run"],
      ...["config success", "g success", 'success "done"', "g complete", "complete true", "cleanup", "tm-after", "gm2-after", "gm1-after"],
      ...["error gm1-after broke", "g error"],
      ...["gm1-before", "gm2-before", "tm-before", "config init", "init", "g attempt", "attempt", "run"],
      ...["config success", "g success", 'success "done"', "g complete", "complete true", "cleanup", "tm-after", "gm2-after", "gm1-after"],
      ...["error gm1-after broke", "g error"],
    ],
    ...failed,
    attempts: 2,
    error: { name: "TASK_MIDDLEWARE_ERROR" },
  },
];

describe.concurrent("with hooks for all tasks, when", () => {
  test.for(globalCases)("$when", async ({ plan, calls, status = "COMPLETED", attempts = 1, error }, { expect }) => {
    const played = await worker.play("hooked", { plan, global: true });
    expect(played.calls).toEqual(calls);
    expect(played.run).toMatchObject({ status, attemptCount: attempts, ...(error && { error }) });
  });
});

const thrown: [kind: string, calls: string[], run: object][] = [
  ["abort", ["error no use", "failure no use", "complete false", "cleanup"], { status: "FAILED", attemptCount: 1, error: { name: "AbortTaskRunError" } }],
  ["complete", ['success {"early":true}', "complete true", "cleanup"], { status: "COMPLETED", attemptCount: 1, output: { early: true } }],
  [
    "memory",
    ["error MANUAL_OOM_KILL_ERROR", "catch", "failure MANUAL_OOM_KILL_ERROR", "complete false", "cleanup"],
    { status: "CRASHED", attemptCount: 1, error: { name: "TASK_PROCESS_OOM_KILLED" } },
  ],
  ["exit", ["cleanup", "cleanup"], { status: "CRASHED", attemptCount: 2, error: { name: "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE" } }],
  [
    "uncaught",
    [],
    { status: "FAILED", attemptCount: 2, error: { name: "TASK_RUN_UNCAUGHT_EXCEPTION", message: "TASK_RUN_UNCAUGHT_EXCEPTION: uncaught error: in a timer" } },
  ],
];

describe.concurrent("run ends by", () => {
  test.for(thrown)("%s", async ([kind, calls, run], { expect }) => {
    const played = await worker.play("throwing", { kind });
    expect(played.calls).toEqual(calls);
    expect(played.run).toMatchObject(run);
  });
});

describe("memory that runs out, where the task names a larger machine", () => {
  test("is tried again there, and no hook hears of an end before", async ({ expect }) => {
    const played = await worker.play("growing");
    expect(played.calls).toEqual(["run on micro", "catch number", "run on small-1x", "complete true"]);
    expect(played.run).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
  });

  test("is not, if catchError says so", async ({ expect }) => {
    const played = await worker.play("growing", { decided: true });
    expect(played.calls).toEqual(["run on micro", "catch number", "failure", "complete false"]);
    expect(played.run).toMatchObject({ status: "CRASHED", attemptCount: 1, error: { name: "TASK_PROCESS_OOM_KILLED" } });
  });
});

test("a hook that throws CompleteTaskWithOutput fails the attempt: only run completes so", async ({ expect }) => {
  const played = await worker.play("hasty");
  expect(played.calls).toEqual(["failure Complete task with output"]);
  expect(played.run).toMatchObject({ status: "FAILED", attemptCount: 2, error: { name: "CompleteTaskWithOutput" } });
});

test("an output that cannot be written fails the run, and only onError and cleanup hear of it", async ({ expect }) => {
  const played = await worker.play("throwing", { kind: "unwritable" });
  expect(played.calls).toEqual([expect.stringMatching(/^error .*a getter broke$/), "cleanup"]);
  expect(played.run).toMatchObject({ status: "FAILED", attemptCount: 1, error: { name: "TASK_OUTPUT_ERROR" } });
});

describe.concurrent("middleware", () => {
  test("that never calls next completes the run, without output", async ({ expect }) => {
    const played = await worker.play("odd", { kind: "never" });
    expect(played.calls).toEqual(["before", "after"]);
    expect(played.run).toMatchObject({ status: "COMPLETED", output: undefined });
  });

  test("that calls next twice runs the task once", async ({ expect }) => {
    const played = await worker.play("odd", { kind: "twice" });
    expect(played.calls).toEqual(["before", "run", "run ended", "after"]);
    expect(played.run).toMatchObject({ status: "COMPLETED", output: "done" });
  });

  test("that does not wait for next loses nothing", async ({ expect }) => {
    const played = await worker.play("odd", { kind: "not awaited" });
    expect(played.calls).toEqual(["before", "after", "run", "run ended"]);
    expect(played.run).toMatchObject({ status: "COMPLETED", output: "done" });
  });
});

describe.concurrent("retries", () => {
  test("are three attempts where neither task nor config says so, and catchError is told", async ({ expect }) => {
    const played = await worker.play("unsaid");
    expect(played.calls).toEqual(["run", "catch 3 number true", "run", "catch 3 number true", "run", "catch 3 undefined false"]);
    expect(played.run).toMatchObject({ status: "FAILED", attemptCount: 3 });
  });

  test("are decided by handleError, too", async ({ expect }) => {
    const played = await worker.play("older");
    expect(played.calls).toEqual(["run", "handle"]);
    expect(played.run).toMatchObject({ status: "FAILED", attemptCount: 1 });
  });
});

test("hooks and promises of one attempt are not those of the next", async ({ expect }) => {
  const played = await worker.play("late");
  expect(played.calls).toEqual(["run", "late error", "cleanup", "run", "late success", "success", "cleanup", "waited"]);
  expect(played.run).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
});
