import { describe, expect, test } from "vitest";
import { AbortTaskRunError, ApiError, OutOfMemoryError } from "../index.js";
import { decisionOf, defaultNext, effectiveRetry, endsRun, type RetryRules } from "./retry-decision.js";

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
    expect(defaultNext(error, given)?.delay).toBe(delay);
  });
});

describe("memory that ran out", () => {
  const larger: RetryRules = { ...rules, options: { ...rules.options, outOfMemory: { machine: "medium-1x" } }, machine: "small-1x" };
  const next = { delay: 100, machine: "medium-1x" };

  test.each([
    ["goes on on the machine that is named for it", new OutOfMemoryError(), larger, next],
    ["also from no machine", new OutOfMemoryError(), { ...larger, machine: undefined }, next],
    ["not if the run is on it already", new OutOfMemoryError(), { ...larger, machine: "medium-1x" }, undefined],
    ["not after the last attempt", new OutOfMemoryError(), { ...larger, attempt: 3 }, undefined],
    ["not where retries are off", new OutOfMemoryError(), { ...larger, enabled: false }, undefined],
    ["an ffmpeg that was killed counts", new Error("Error: ffmpeg was killed with signal SIGKILL: "), larger, next],
    ["an error of another copy counts", named("OutOfMemoryError"), larger, next],
    ["another error stays where it is", new Error("e"), larger, { delay: 100 }],
  ])("%s", (_, error, given, expected) => {
    expect(defaultNext(error, given)).toEqual(expected);
  });

  test.each([
    ["no other attempt", { skipRetrying: true }, undefined],
    ["another delay, on the larger machine all the same", { retryDelayInMs: 5 }, { delay: 5, machine: "medium-1x" }],
  ])("catchError may ask for %s", (_, said, expected) => {
    expect(decisionOf(new OutOfMemoryError(), said, larger, now).next).toEqual(expected);
  });

  test("where no machine is named, catchError may ask for an attempt like this one", () => {
    expect(decisionOf(new OutOfMemoryError(), { retryDelayInMs: 5 }, rules, now).next).toEqual({ delay: 5 });
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
    expect(decisionOf(new Error("e"), said, given, now).next?.delay).toBe(delay);
  });

  test("may replace the error, and try again", () => {
    const error = new Error("other");
    expect(decisionOf(new Error("e"), { error, retryDelayInMs: 5 }, rules, now)).toEqual({ next: { delay: 5 }, error });
  });
});

test("the options that a hook is told have the attempts of the run", () => {
  expect(effectiveRetry({ ...rules, options: { maxAttempts: 9, factor: 3 } })).toEqual({ maxAttempts: 3, factor: 3 });
  expect(effectiveRetry({ ...rules, maxAttempts: 1_000 })).toMatchObject({ maxAttempts: 250 });
});
