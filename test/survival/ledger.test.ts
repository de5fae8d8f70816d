import { describe, expect, test } from "vitest";
import { Ledger } from "./ledger.js";
import { acknowledgementOf, entryOf } from "./lines.js";

// A judge that finds nothing proves nothing unless it can find something.

/** What is written when `count` triggers are made, acknowledged and executed as they should be. */
function allIsWell(count: number): { acknowledgements: string[]; executions: string[] } {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return {
    acknowledgements: numbers.map((n) => `p${n} run_${n} ${1_000 + n} ${1_005 + n}`),
    executions: numbers.flatMap((n) => [`start run_${n} 1 work p${n} 77 ${1_010 + n}`, `end run_${n} 1 work p${n} 77 ${1_020 + n}`]),
  };
}

function judged(acknowledgements: string[], executions: string[], limits: Record<string, number> = {}): { complaints: string[]; openRuns: number } {
  const ledger = new Ledger();
  for (const line of acknowledgements) ledger.acknowledged(acknowledgementOf(line));
  for (const line of executions) ledger.executed(entryOf(line));
  return { complaints: ledger.complaints(limits), openRuns: ledger.openRuns };
}

test("nothing to complain about", () => {
  const { acknowledgements, executions } = allIsWell(1_000);
  expect(judged(acknowledgements, executions, { work: 1 })).toEqual({ complaints: [], openRuns: 0 });
  // A task is often faster than the acknowledgement.
  const ledger = new Ledger();
  for (const line of executions) ledger.executed(entryOf(line));
  for (const line of acknowledgements) ledger.acknowledged(acknowledgementOf(line));
  expect(ledger.openRuns).toBe(0);
});

test("a run that was executed and never acknowledged is no fault", () => {
  const { acknowledgements, executions } = allIsWell(3);
  expect(judged(acknowledgements.slice(1), executions).complaints).toEqual([]);
});

describe("a complaint about", () => {
  const { acknowledgements, executions } = allIsWell(100);

  test("an acknowledged run that never starts", () => {
    const { complaints, openRuns } = judged(
      acknowledgements,
      executions.filter((line) => !line.includes("run_42 ")),
    );
    expect(complaints).toEqual(["run run_42 of p42 was acknowledged, and never started"]);
    expect(openRuns).toBe(1);
  });

  test("an acknowledged run that starts and does not end", () => {
    const { complaints, openRuns } = judged(
      acknowledgements,
      executions.filter((line) => !line.startsWith("end run_42 ")),
    );
    expect(complaints).toEqual(["run run_42 of p42 was acknowledged, and has started and not ended"]);
    expect(openRuns).toBe(1);
  });

  test("a run without an acknowledgement that starts and does not end", () => {
    const { complaints } = judged(
      acknowledgements.filter((line) => !line.includes("run_42 ")),
      executions.filter((line) => !line.startsWith("end run_42 ")),
    );
    expect(complaints).toEqual(["run run_42 of p42, which nobody acknowledged, has started and not ended"]);
  });

  test("a run that starts again, though its first attempt has not ended", () => {
    const { complaints } = judged(acknowledgements, [...executions, "start run_42 2 work p42 78 5000"]);
    expect(complaints).toEqual([
      "run run_42 of p42 has two starts: attempt 1 in process 77 at 1970-01-01T00:00:01.052Z, and attempt 2 in process 78 at 1970-01-01T00:00:05.000Z",
    ]);
  });

  test("the same attempt, executed twice", () => {
    const { complaints } = judged(acknowledgements, [...executions, ...executions.slice(0, 2)]);
    expect(complaints).toEqual([expect.stringContaining("run run_0 of p0 has two starts"), expect.stringContaining("run run_0 of p0 has two ends")]);
  });

  test("a trigger that became two runs", () => {
    const { complaints } = judged(acknowledgements, [...executions, "start run_900 1 work p42 77 5000", "end run_900 1 work p42 77 5001"]);
    expect(complaints).toEqual(["trigger p42 has two runs: run_42 and run_900"]);
  });

  test("a trigger that was acknowledged with the run of another", () => {
    const { complaints } = judged([...acknowledgements, "p900 run_42 5000 5001"], executions);
    expect(complaints).toEqual(["run run_42 belongs to two triggers: p42 and p900"]);
  });

  test("a limit that does not hold, also when code was killed", () => {
    const overlapping = ["start run_1 1 alone p1 77 1", "beat run_1 1 alone p1 77 2", "start run_2 1 alone p2 78 3", "beat run_1 1 alone p1 77 4"];
    expect(judged([], [...overlapping, "end run_2 1 alone p2 78 5", "end run_1 1 alone p1 77 6"], { alone: 1 }).complaints).toEqual([
      "2 runs of alone were executed at once, and 1 are allowed",
    ]);
    const killed = ["start run_1 1 alone p1 77 1", "beat run_1 1 alone p1 77 2", "start run_1 2 alone p1 78 3", "end run_1 2 alone p1 78 4"];
    expect(judged([], killed, { alone: 1 }).complaints).toEqual([expect.stringContaining("two starts")]);
  });

  test("many at once, in few words", () => {
    const { complaints, openRuns } = judged(acknowledgements, []);
    expect(complaints).toHaveLength(6);
    expect(complaints.at(-1)).toBe("and 95 more like these");
    expect(openRuns).toBe(100);
  });
});
