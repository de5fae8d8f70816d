import { describe, expect, test } from "vitest";
import { AbortTaskRunError, ApiError, OutOfMemoryError } from "../index.js";
import { decisionOf, defaultDelay, effectiveRetry, endsRun, type RetryRules } from "./retry-decision.js";

const rules: RetryRules = {
  options: { minTimeoutInMs: 100, randomize: false },
  attempt: 1,
  maxAttempts: 3,
  enabled: true,
};
const now = 1_700_000_000_000;
const api = (status: number, retryAfterMs?: number) => new ApiError("refused", { status, code: "x", retryAfterMs });
const named = (name: string) => Object.assign(new Error("of another copy"), { name });

describe("without a hook", () => {
  test.each([
    ["an error", new Error("e"), rules, 100],
    ["the second one, twice as long", new Error("e"), { ...rules, attempt: 2 }, 200],
    ["the last one", new Error("e"), { ...rules, attempt: 3 }, undefined],
    ["a thrown value", "text", rules, 100],
    ["AbortTaskRunError", new AbortTaskRunError("no"), rules, undefined],
    ["an error of that name", named("AbortTaskRunError"), rules, undefined],
    ["a payload that its schema refused", named("TaskPayloadParsedError"), rules, undefined],
    ["memory that ran out", new OutOfMemoryError(), rules, undefined],
    ["what the server refuses", api(404), rules, undefined],
    ["what the server may take later: 408", api(408), rules, 100],
    ["a limit without a time", api(429), rules, 100],
    ["a limit with its time", api(429, 4_321), rules, 4_321],
    ["a limit at the last attempt", api(429, 4_321), { ...rules, attempt: 3 }, undefined],
    ["a server's own error", api(500), rules, 100],
    ["retries that are turned off", new Error("e"), { ...rules, enabled: false }, undefined],
    ["no options at all", new Error("e"), { ...rules, options: { randomize: false } }, 1_000],
    ["the 250th attempt", new Error("e"), { ...rules, attempt: 250, maxAttempts: 1_000 }, undefined],
  ])("%s", (_, error, given, delay) => {
    expect(defaultDelay(error, given)).toBe(delay);
  });
});

test.each([
  [new Error("e"), rules, false],
  [new AbortTaskRunError("no"), rules, true],
  [api(400), rules, true],
  [api(429), rules, false],
  [new OutOfMemoryError(), rules, false],
  [new Error("e"), { ...rules, enabled: false }, true],
  [new Error("e"), { ...rules, attempt: 3 }, false],
])("catchError is not asked where nothing could help: %s", (error, given, ends) => {
  expect(endsRun(error, given)).toBe(ends);
});

describe("catchError's word", () => {
  test.each([
    ["the first that is given counts", { skipRetrying: true, retryDelayInMs: 5 }, rules, undefined],
    ["a time before a delay", { retryAt: new Date(now + 50), retryDelayInMs: 5 }, rules, 50],
    ["a time that has passed", { retryAt: new Date(now - 50) }, rules, 0],
    ["no time", { retryAt: new Date(Number.NaN), retryDelayInMs: 5 }, rules, 5],
    ["a delay of nothing", { retryDelayInMs: 0 }, rules, 0],
    ["a delay before options", { retryDelayInMs: 5, retry: { minTimeoutInMs: 7, randomize: false } }, rules, 5],
    ["options", { retry: { minTimeoutInMs: 7, randomize: false } }, { ...rules, attempt: 2 }, 14],
    ["options that allow no more", { retry: { maxAttempts: 1 } }, rules, undefined],
    ["an error alone", { error: new Error("other") }, rules, undefined],
    ["beyond the last attempt", { retryDelayInMs: 5 }, { ...rules, attempt: 3 }, undefined],
  ])("%s", (_, said, given, delay) => {
    expect(decisionOf(said, given, now).delay).toBe(delay);
  });

  test("may replace the error, and try again", () => {
    const error = new Error("other");
    expect(decisionOf({ error, retryDelayInMs: 5 }, rules, now)).toEqual({ delay: 5, error });
  });
});

test("the options that a hook is told have the attempts of the run", () => {
  expect(effectiveRetry({ ...rules, options: { maxAttempts: 9, factor: 3 } })).toEqual({ maxAttempts: 3, factor: 3 });
  expect(effectiveRetry({ ...rules, maxAttempts: 1_000 })).toMatchObject({ maxAttempts: 250 });
});
