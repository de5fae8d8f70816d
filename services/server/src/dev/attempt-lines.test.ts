import type { AttemptReport } from "@runlane/sdk/worker";
import { expect, test } from "vitest";
import { attemptLines } from "./attempt-lines.js";

const at = new Date(2026, 10, 23, 9, 5, 7);
const base: AttemptReport = { event: "started", runId: "run_1", taskId: "hello", attempt: 1, maxAttempts: 3, durationMs: 0 };
const lines = (report: Partial<AttemptReport>, oldVersion?: string) =>
  attemptLines({ ...base, ...report }, at, { folder: "/home/you/app", colors: false, oldVersion }).split("\n");

test("a start and an end are one line each", () => {
  expect(lines({})).toEqual(["09:05:07 started   hello run_1"]);
  expect(lines({ event: "completed", durationMs: 1_234 })).toEqual(["09:05:07 completed hello run_1 1.2 s"]);
});

test("another attempt, and an old version, are mentioned", () => {
  expect(lines({ event: "completed", attempt: 2, durationMs: 61_000 }, "20261123.1")).toEqual([
    "09:05:07 completed hello run_1 1 min 1 s (attempt 2 of 3, version 20261123.1)",
  ]);
});

test("a failure shows its error's first lines and where the user's code threw it", () => {
  const stackTrace = [
    "TypeError: no\nsecond line",
    "    at inner (/home/you/app/trigger/hello.ts:5:9)",
    "    at file:///home/you/app/trigger/hello.ts:9:1",
    "    at Queue.run (/home/you/app/node_modules/p-queue/index.js:1:1)",
    "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
  ].join("\n");
  expect(lines({ event: "failed", durationMs: 12, retryInMs: 1_500, failure: { name: "TypeError", message: "no\nsecond line", stackTrace } })).toEqual([
    "09:05:07 failed    hello run_1 12 ms attempt 1 of 3, the next in 1.5 s",
    "         TypeError: no",
    "         second line",
    "           at inner (trigger/hello.ts:5:9)",
    "           at trigger/hello.ts:9:1",
  ]);
});

test("the last failure says so, whether the code or the number of attempts ends the run", () => {
  const failure = { name: "", message: "", stackTrace: "" };
  expect(lines({ event: "failed", failure })[0]).toContain("attempt 1 of 3, the last");
  expect(lines({ event: "failed", failure, attempt: 3, retryInMs: 0 })[0]).toContain("attempt 3 of 3, the last");
  expect(lines({ event: "failed", failure, retryInMs: 0 })).toEqual([
    "09:05:07 failed    hello run_1 0 ms attempt 1 of 3, the next at once",
    "         no error was given",
  ]);
});
