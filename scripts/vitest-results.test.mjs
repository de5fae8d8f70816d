import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { root } from "./repository.mjs";
import { Tally } from "./tally.mjs";
import { count } from "./vitest-results.mjs";

function told() {
  const lines = [];
  const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  onTestFinished(() => log.mockRestore());
  return lines;
}

const outcome = (fullName, status, ...failureMessages) => ({ fullName, status, failureMessages });
const report = (...assertionResults) => ({
  testResults: [{ name: join(root, "test/a.test.ts"), status: "passed", startTime: 0, endTime: 1_500, message: "", assertionResults }],
});

test("a test counts once, however often it was tried; one that passed on its second attempt is named, with the error of its first", () => {
  const lines = told();
  const tally = new Tally({ skipsFail: false });
  const tests = [
    outcome("at once", "passed"),
    outcome("late", "passed", "Error: not yet"),
    outcome("never", "failed", "Error: no", "Error: no"),
    outcome("not", "skipped"),
  ];
  expect(count(tally, report(...tests))).toBe(1);
  expect(lines).toEqual(["   passed test/a.test.ts (4 tests, 1.5 s)", "   at first, late failed: Error: not yet"]);
  expect(tally.finish()).toBe(1);
  expect(lines.slice(2)).toEqual([
    "",
    "passed on the second attempt: test/a.test.ts: late",
    "skipped: test/a.test.ts: not",
    "failed: test/a.test.ts: never",
    "2 passed, 1 failed",
  ]);
});

test("what was skipped counts as failed where nothing may be skipped", () => {
  const lines = told();
  const tally = new Tally({ skipsFail: true });
  count(tally, report(outcome("at once", "passed"), outcome("not", "skipped")));
  expect(tally.finish()).toBe(1);
  expect(lines.at(-1)).toBe("1 passed, 1 failed");
});
