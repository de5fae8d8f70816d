import type { JournalEntry, JournalKey } from "#gen/runlane/v1/worker_service_pb.js";
import { callText, describeCall, type JournalCall } from "./journal-call.js";
import { JournalError } from "./journal-error.js";

/** How long code may ask for nothing that the journal has while something waits for it, in milliseconds. */
const stuckMs = 5_000;

/** A call that the journal has. */
export interface RecordedCall {
  readonly entry: JournalEntry;
  /** It must be asked for again, and ends in its turn. False for steps of an earlier attempt. */
  readonly own: boolean;
}

/** What became of a question for a call. */
export interface AskedCall {
  readonly key: JournalKey;
  /** Undefined if the journal does not have it. */
  readonly recorded: RecordedCall | undefined;
}

/** A recorded call that has ended: when its turn comes, the code is told. */
interface Turn extends RecordedCall {
  /** Tells the code. Undefined until it has asked. */
  tell: (() => void) | undefined;
  refuse: ((reason: unknown) => void) | undefined;
}

/** A call that the journal does not have, made while it has others that were not asked for. */
interface HeldCall {
  readonly call: JournalCall;
  readonly go: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** How a journal begins. */
export interface JournalOptions {
  /** What the attempt's journal has, in the order of the calls. Default: nothing. */
  readonly entries?: readonly JournalEntry[];
  /** The attempt goes on, so that its code asks for the entries again. Otherwise they are steps of earlier attempts. Default false. */
  readonly resumed?: boolean;
  /** How long code may ask for nothing that the journal has while something waits for it, in milliseconds. Default 5,000. */
  readonly stuckMs?: number;
}

/**
 * What the code of an attempt has called, so that code which runs once more gets the answers of before. Calls are known by kind, name, arguments and how often they were made. Recorded
 * ones end in the order in which they ended before, each after the code has had its turn with the one before it; so `Promise.race` has the same winner. Calls that it does not have are held
 * until all that it has was asked for and told: the frontier. Cost is constant for each entry.
 */
export class Journal {
  readonly #stuckMs: number;
  /** Entries that were not asked for so far, by their call and occurrence. */
  readonly #unasked = new Map<string, RecordedCall | Turn>();
  /** Those of them that must be. */
  #due = 0;
  /** How often each call was asked for. */
  readonly #occurrences = new Map<string, number>();
  /** What has ended, in the order in which it did. */
  readonly #turns: Turn[] = [];
  /** Turns that are over. */
  #told = 0;
  #turnScheduled = false;
  #over: boolean;
  /** The code has had its turn with the last of them. */
  #quiet: boolean;
  #held: HeldCall[] = [];
  #afterwards: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Grows with whatever shows that the code goes on. */
  #progress = 0;
  /** Why nothing can be asked any more. */
  #broken: { readonly reason: unknown } | undefined;
  #mismatch: JournalError | undefined;

  constructor({ entries = [], resumed = false, stuckMs: given = stuckMs }: JournalOptions = {}) {
    this.#stuckMs = given;
    for (const entry of entries) {
      const own = resumed && !entry.earlierAttempt;
      const recorded: Turn = { entry, own, tell: undefined, refuse: undefined };
      this.#unasked.set(entryText(entry), recorded);
      if (own) this.#due += 1;
      if (own && entry.settled > 0) this.#turns.push(recorded);
    }
    this.#turns.sort((a, b) => a.entry.settled - b.entry.settled);
    this.#over = this.#due === 0;
    this.#quiet = this.#over;
  }

  /** The code is where it was before: what it calls now has an effect only where the journal says so. */
  get replaying(): boolean {
    return !this.#over;
  }

  /** The code has been told all that the journal knows, and has had its turn with it. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /** Asks for a call, which is one more of its like. @throws the reason for which the journal is broken. */
  ask(call: JournalCall): AskedCall {
    if (this.#broken) throw this.#broken.reason;
    const text = callText(call);
    const occurrence = this.#occurrences.get(text) ?? 0;
    this.#occurrences.set(text, occurrence + 1);
    const key: JournalKey = { $typeName: "runlane.v1.JournalKey", kind: call.kind, name: call.name, argumentsHash: call.hash, occurrence };
    if (this.#unasked.size === 0) return { key, recorded: undefined };
    const occurrenceText = withOccurrence(text, occurrence);
    const recorded = this.#unasked.get(occurrenceText);
    if (recorded === undefined) return { key, recorded };
    this.#unasked.delete(occurrenceText);
    this.#progress += 1;
    if (recorded.own) this.#due -= 1;
    this.#checkOver();
    return { key, recorded };
  }

  /** Resolves when it is the turn of a recorded call that has ended; of others at once. Rejects if the journal breaks. */
  turn(recorded: RecordedCall): Promise<void> | undefined {
    if (!recorded.own || recorded.entry.settled === 0) return undefined;
    return new Promise((resolve, reject) => {
      const turn = recorded as Turn;
      turn.tell = resolve;
      turn.refuse = reject;
      this.#next();
      this.#watch();
    });
  }

  /** Resolves at the frontier, for a call that the journal does not have; undefined if it is reached. Rejects if the journal breaks. */
  hold(call: JournalCall): Promise<void> | undefined {
    if (this.#over) return undefined;
    return new Promise((go, refuse) => {
      this.#held.push({ call, go, refuse });
      this.#watch();
    });
  }

  /** Calls a function when the code has had its turn with all that the journal knows; in the order in which they were given. */
  afterwards(call: () => void): void {
    if (this.#quiet) call();
    else this.#afterwards.push(call);
  }

  /** What is wrong with code that has ended: it broke the journal, or did not ask for all that it has. Undefined: nothing. */
  leftOver(): JournalError | undefined {
    if (this.#mismatch) return this.#mismatch;
    if (this.#due === 0 || this.#broken) return undefined;
    return new JournalError("JOURNAL_MISMATCH", `the journal of the run has ${this.#firstDue()}, and the code ended without asking for it; ${advice}`);
  }

  /** Answers nothing any more: who waits, and who asks, is rejected with the reason. */
  break(reason: unknown): void {
    this.#broken ??= { reason };
    this.#stop();
    for (const { refuse } of this.#held) refuse(reason);
    this.#held = [];
    for (const turn of this.#turns.slice(this.#told)) turn.refuse?.(reason);
    this.#afterwards = [];
  }

  #next(): void {
    if (this.#turnScheduled || this.#broken) return;
    const turn = this.#turns[this.#told];
    if (turn?.tell === undefined) return;
    this.#told += 1;
    this.#progress += 1;
    // Before it is told: what the code does then is new.
    this.#checkOver();
    turn.tell();
    this.#scheduleTurn();
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#turnScheduled = false;
    if (this.#broken) return;
    if (!this.#over) return this.#next();
    this.#quiet = true;
    for (const { go } of this.#held) go();
    this.#held = [];
    for (const call of this.#afterwards.splice(0)) call();
  };

  #checkOver(): void {
    if (this.#over || this.#due > 0 || this.#told < this.#turns.length) return;
    this.#over = true;
    this.#stop();
    this.#scheduleTurn();
  }

  /** Looks, for as long as somebody waits, whether the code goes on. */
  #watch(): void {
    if (this.#timer !== undefined || this.#over || this.#broken) return;
    const before = this.#progress;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#progress !== before) this.#watch();
      else this.#fail();
    }, this.#stuckMs);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fail(): void {
    const [held] = this.#held;
    const instead = held ? `it asked for ${describeCall(held.call)} instead` : "it asked only for calls that ended after that one";
    const kin =
      held && Array.from(this.#unasked.values()).some(({ own, entry: { key } }) => own && key?.kind === held.call.kind && key.name === held.call.name);
    const other = kin ? ", with other arguments" : "";
    this.#mismatch = new JournalError(
      "JOURNAL_MISMATCH",
      `the journal of the run has ${this.#firstDue()}, and the code did not ask for it when it ran again: ${instead}${other}; ${advice}`,
    );
    this.break(this.#mismatch);
  }

  /** The first call that was not asked for. */
  #firstDue(): string {
    for (const { own, entry } of this.#unasked.values()) {
      if (own && entry.key) return `${describeCall(entry.key)} (#${entry.key.occurrence + 1})`;
    }
    return "calls that have ended";
  }
}

const advice = "code that waits must make the same calls, in the same order, when it runs again";

function entryText({ key }: JournalEntry): string {
  if (key === undefined) return "";
  return withOccurrence(callText({ kind: key.kind, name: key.name, hash: key.argumentsHash }), key.occurrence);
}

function withOccurrence(text: string, occurrence: number): string {
  return `${occurrence}:${text}`;
}
