import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type JournalEntry, JournalEntrySchema, JournalKind } from "#gen/runlane/v1/worker_service_pb.js";
import { Journal, type JournalOptions } from "./journal.js";
import { hashOf, type JournalCall, journalCall } from "./journal-call.js";
import type { JournalError } from "./journal-error.js";

const step = (name: string, ...key: string[]): JournalCall => journalCall(JournalKind.STEP, name, ...key);

/** Entries in the order of the calls; each with its place in the order in which they ended, 0 for one that has not. */
function entries(...calls: readonly (readonly [call: JournalCall, settled: number, more?: { earlierAttempt: true }])[]): JournalEntry[] {
  const seen = new Map<string, number>();
  return calls.map(([{ kind, name, hash }, settled, more], index) => {
    const text = `${kind} ${name} ${hash}`;
    const occurrence = seen.get(text) ?? 0;
    seen.set(text, occurrence + 1);
    return create(JournalEntrySchema, { key: { kind, name, argumentsHash: hash, occurrence }, commandId: index + 1, settled, ...more });
  });
}

/** Code that runs, and what it notes. */
class Replay {
  readonly journal: Journal;
  readonly notes: string[] = [];

  constructor(recorded: JournalEntry[], options: JournalOptions = {}) {
    this.journal = new Journal({ entries: recorded, resumed: true, stuckMs: 60_000, ...options });
  }

  /** Makes a call: from the journal, or anew. */
  async call(call: JournalCall): Promise<string> {
    const { key, recorded } = this.journal.ask(call);
    if (recorded) await this.journal.turn(recorded);
    else await this.journal.hold(call);
    const note = `${recorded ? "recorded" : "new"} ${key.name}#${key.occurrence}`;
    this.notes.push(note);
    return note;
  }
}

const failure = async (promise: Promise<unknown>): Promise<JournalError> => {
  try {
    await promise;
  } catch (error) {
    return error as JournalError;
  }
  throw new Error("should have failed");
};

describe("calls", () => {
  test("are told apart by kind, name, arguments and how often they were made", async () => {
    const { journal } = new Replay([]);
    const keys = [step("a"), step("a"), step("a", "x"), journalCall(JournalKind.TRIGGER, "a"), step("a", "x")].map((call) => journal.ask(call).key);
    expect(keys.map(({ kind, name, argumentsHash, occurrence }) => [kind, name, argumentsHash.length, occurrence])).toEqual([
      [JournalKind.STEP, "a", 0, 0],
      [JournalKind.STEP, "a", 0, 1],
      [JournalKind.STEP, "a", 16, 0],
      [JournalKind.TRIGGER, "a", 0, 0],
      [JournalKind.STEP, "a", 16, 1],
    ]);
    expect(hashOf(["ab", "c"])).not.toEqual(hashOf(["a", "bc"]));
  });

  test("that the journal has come first, then new ones", async () => {
    const code = new Replay(entries([step("a"), 1], [step("a"), 2], [step("b"), 3]));
    for (const name of ["a", "a", "b", "a", "c"]) await code.call(step(name));
    expect(code.notes).toEqual(["recorded a#0", "recorded a#1", "recorded b#0", "new a#2", "new c#0"]);
    expect(code.journal.leftOver()).toBeUndefined();
  });

  test("end in the order in which they ended before, whatever the order in which they are made", async () => {
    const code = new Replay(entries([step("a"), 3], [step("b"), 1], [step("c"), 2]));
    await Promise.all(["a", "b", "c"].map((name) => code.call(step(name))));
    expect(code.notes).toEqual(["recorded b#0", "recorded c#0", "recorded a#0"]);
  });

  test("leave the code its turn before the next one ends: a race has the same winner, and what follows it comes first", async () => {
    const code = new Replay(entries([step("slow"), 2], [step("quick"), 1], [step("after quick"), 3]));
    const slow = code.call(step("slow"));
    const quick = code.call(step("quick")).then(() => {
      code.notes.push("made after quick");
      return code.call(step("after quick"));
    });
    expect(await Promise.race([slow, quick.then(() => "never first")])).toBe("recorded slow#0");
    await quick;
    expect(code.notes).toEqual(["recorded quick#0", "made after quick", "recorded slow#0", "recorded after quick#0"]);
  });

  test("that the journal does not have are held until it has told all, and then go in their order", async () => {
    const code = new Replay(entries([step("a"), 1], [step("b"), 2]));
    const held = [code.call(step("x")), code.call(step("y"))];
    expect(code.journal.replaying).toBe(true);
    await code.call(step("a"));
    expect(code.notes).toEqual(["recorded a#0"]);
    await code.call(step("b"));
    expect(code.journal.replaying).toBe(false);
    await Promise.all(held);
    expect(code.notes).toEqual(["recorded a#0", "recorded b#0", "new x#0", "new y#0"]);
  });

  test("that have not ended need only be asked for; what ends meanwhile comes after all that ended before", async () => {
    const wait = journalCall(JournalKind.WAIT_TIME, "for", "60000");
    const code = new Replay(entries([wait, 0], [step("a"), 1]));
    code.journal.afterwards(() => code.notes.push("the wait ends"));
    const open = code.journal.ask(wait);
    expect(open.recorded?.entry.settled).toBe(0);
    expect(code.journal.turn(open.recorded!)).toBeUndefined();
    await code.call(step("a"));
    await code.call(step("new"));
    await expect.poll(() => code.notes).toEqual(["recorded a#0", "new new#0", "the wait ends"]);
    expect(code.journal.quiet).toBe(true);
  });

  test("of earlier attempts answer if asked for, hold nothing up, and need not be", async () => {
    const code = new Replay(entries([step("kept"), 1], [step("dropped"), 2]), { resumed: false });
    expect(code.journal.replaying).toBe(false);
    await code.call(step("new"));
    await code.call(step("kept"));
    expect(code.notes).toEqual(["new new#0", "recorded kept#0"]);
    expect(code.journal.leftOver()).toBeUndefined();
  });

  test("of earlier attempts stand beside those of an attempt that goes on", async () => {
    const code = new Replay(entries([step("kept"), 1, { earlierAttempt: true }], [step("dropped"), 2, { earlierAttempt: true }], [step("own"), 3]));
    expect(code.journal.replaying).toBe(true);
    await code.call(step("own"));
    await code.call(step("kept"));
    expect(code.notes).toEqual(["recorded own#0", "recorded kept#0"]);
    expect(code.journal.leftOver()).toBeUndefined();
  });
});

describe("code that asks for something else", () => {
  const stuck = { stuckMs: 20 };

  test("is told both sides", async () => {
    const code = new Replay(entries([step("charge"), 1], [step("charge"), 2]), stuck);
    await code.call(step("charge"));
    const error = await failure(code.call(step("refund")));
    expect(error).toMatchObject({ name: "JournalError", code: "JOURNAL_MISMATCH" });
    expect(error.message).toMatch(/has step "charge" \(#2\), and the code did not ask for it when it ran again: it asked for step "refund" instead; /);
    expect(await failure(code.call(step("charge")))).toBe(error);
    expect(code.journal.leftOver()).toBe(error);
  });

  test("is told that the arguments are others", async () => {
    const code = new Replay(entries([step("charge", "order 1"), 1]), stuck);
    expect((await failure(code.call(step("charge", "order 2")))).message).toMatch(
      /has step "charge" \(#1\).*asked for step "charge" instead, with other arguments/,
    );
  });

  test("fails if what ended first is not asked for at all", async () => {
    const code = new Replay(entries([step("a"), 2], [step("b"), 1]), stuck);
    expect((await failure(code.call(step("a")))).message).toMatch(/has step "b" \(#1\).*asked only for calls that ended after that one/);
  });

  test("fails if it ends without asking", async () => {
    const code = new Replay(entries([step("a"), 1], [journalCall(JournalKind.TRIGGER_AND_WAIT, "child"), 0]));
    await code.call(step("a"));
    expect(code.journal.leftOver()?.message).toMatch(/has a wait for runs of "child" \(#1\), and the code ended without asking for it/);
  });
});

test("a journal that was stopped rejects who waits and who asks", async () => {
  const code = new Replay(entries([step("a"), 1]));
  const held = code.call(step("new"));
  code.journal.break(new Error("run cancelled"));
  expect((await failure(held)).message).toBe("run cancelled");
  expect((await failure(code.call(step("a")))).message).toBe("run cancelled");
});

test("10,000 entries cost as much each as 100", async () => {
  const visits = async (count: number) => {
    const code = new Replay(entries(...Array.from({ length: count }, (_, n) => [step("s"), n + 1] as const)));
    let turns = 0;
    const counted = { active: true };
    const count1 = () => {
      if (!counted.active) return;
      turns += 1;
      setImmediate(count1);
    };
    setImmediate(count1);
    for (let n = 0; n < count; n += 1) await code.call(step("s"));
    counted.active = false;
    expect(code.notes).toHaveLength(count);
    return turns / count;
  };
  // Turns of the event loop, not milliseconds: one for each entry, however many there are.
  expect(await visits(100)).toBeLessThanOrEqual(2);
  expect(await visits(10_000)).toBeLessThanOrEqual(2);
});
