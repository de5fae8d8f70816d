import type { BatchOutcome, BatchPart, RunResult, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { type JournalKey, JournalKind, type RecordCommand, type WaitEnd } from "#gen/runlane/v1/worker_service_pb.js";
import { errorOfStatus } from "../client/grpc-error.js";
import type { TaskWait } from "../hooks/hook-params.js";
import { type AskedCall, Journal, type RecordedCall } from "../journal/journal.js";
import { callText, describeCall, type JournalCall, journalCall } from "../journal/journal-call.js";
import { JournalError } from "../journal/journal-error.js";
import { isOutsideJournal } from "../journal/outside-journal.js";
import { pauseSignal, pauseUntil } from "../retry/pause.js";
import type { RecordOutcome, TimeWait } from "../runtime/run-runtime.js";
import type { Answered, AttemptCommands, BegunWait, Command, WaitOutcome } from "./attempt-commands.js";
import { failed, inCommands } from "./trigger-parts.js";

/** What the triggers of one wait came to; see RunRuntime.triggerAndWait. */
export interface WaitedRuns {
  outcomes: TriggerOutcome[];
  results: (RunResult | undefined)[];
}

/** What journalled calls need of their attempt. */
export interface CallsHost {
  readonly commands: AttemptCommands;
  /** What the attempt begins with; undefined for nothing. */
  readonly journal: Journal | undefined;
  /** Waits for a time up to so many milliseconds sleep in the process. */
  readonly longestSleepMs: number;
  /** Names a request of the call that is the same when its code runs again. */
  requestId(key: JournalKey): string;
  /** The time, in milliseconds of the Unix epoch. */
  now(): number;
  /** Calls the hooks for a wait; undefined if there are none. */
  hooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined;
}

/** The calls of an attempt's code that its journal remembers: each is answered by the journal if that has it, and else made. */
export class JournalledCalls {
  readonly #host: CallsHost;
  #journal: Journal | undefined;
  /** Steps whose code runs. */
  readonly #openSteps = new Set<string>();
  /** Hooks around waits that have not ended. */
  #hooksRun = 0;

  constructor(host: CallsHost) {
    this.#host = host;
    this.#journal = host.journal;
  }

  /** The code of a step runs, or a hook around a wait. */
  get busy(): boolean {
    return this.#openSteps.size > 0 || this.#hooksRun > 0;
  }

  /** See RunRuntime.trigger. */
  async trigger(items: TriggerItem[]): Promise<TriggerOutcome[]> {
    const answers = await inCommands(items, async (part) => {
      const command: Command = { case: "trigger", value: { $typeName: "runlane.v1.TriggerCommand", items: part } };
      const outcomes = outcomesOf(await this.#ask(triggerCall(JournalKind.TRIGGER, part), command), part.length);
      return outcomes.map((outcome) => ({ outcome, result: undefined }));
    });
    return answers.map((answer) => answer.outcome);
  }

  /** See RunRuntime.triggerBatch. */
  async triggerBatch(items: TriggerItem[], batch: BatchPart): Promise<{ outcomes: TriggerOutcome[]; batch: BatchOutcome | undefined }> {
    const command: Command = { case: "trigger", value: { $typeName: "runlane.v1.TriggerCommand", items, batch } };
    const answer = await this.#ask(triggerCall(JournalKind.TRIGGER, items), command);
    if (answer.error) throw errorOfStatus(answer.error);
    return { outcomes: answer.outcomes, batch: answer.batch };
  }

  /** See RunRuntime.triggerAndWait. */
  async triggerAndWait(items: TriggerItem[], batchId: string | undefined): Promise<WaitedRuns> {
    // Of a wait in several parts the first speaks for all of them, so that the hooks hear of one.
    let first = true;
    const answers = await inCommands(items, async (part) => {
      const speaks = first;
      first = false;
      const { answer, results } = await this.#wait(
        triggerCall(JournalKind.TRIGGER_AND_WAIT, part),
        (waitId) => ({ case: "triggerAndWait", value: { $typeName: "runlane.v1.TriggerAndWaitCommand", waitId, items: part } }),
        (begun) => (speaks ? runWait(begun, batchId, items.length) : undefined),
      );
      return outcomesOf(answer, part.length).map((outcome) => {
        return { outcome, result: outcome.outcome.case === "runId" ? results.get(outcome.outcome.value) : undefined };
      });
    });
    return { outcomes: answers.map((answer) => answer.outcome), results: answers.map((answer) => answer.result) };
  }

  /** See RunRuntime.waitForTime. */
  async waitForTime(wait: TimeWait): Promise<void> {
    const { now, longestSleepMs } = this.#host;
    const isUntil = "until" in wait;
    // A time that is computed from the clock is another one when the code runs again.
    const call = isUntil ? journalCall(JournalKind.WAIT_TIME, "until") : journalCall(JournalKind.WAIT_TIME, "for", String(wait.ms));
    const asked = this.#look(call);
    const date = new Date(isUntil ? wait.until : now() + wait.ms);
    const shape = (): TaskWait => ({ type: "duration", date });
    if (asked?.recorded) {
      await this.#ended(asked.recorded, shape);
      return;
    }
    if (isUntil && wait.until <= now()) {
      if (wait.refusesPast) throw new Error("Date is in the past");
      return;
    }
    await this.#hold(call, asked);
    if (date.getTime() - now() > longestSleepMs) {
      const condition = isUntil
        ? { case: "untilMs" as const, value: BigInt(Math.ceil(wait.until)) }
        : { case: "forMs" as const, value: BigInt(Math.ceil(wait.ms)) };
      await this.#begin((waitId) => ({ case: "wait", value: { $typeName: "runlane.v1.WaitCommand", waitId, condition } }), asked?.key, shape);
      return;
    }
    await pauseUntil(Date.now() + date.getTime() - now(), pauseSignal());
    // Not before the record is on disk: it must end among the other calls where it ends in the journal.
    if (asked) await this.#record(asked.key, { case: undefined });
  }

  /** See RunRuntime.waitForToken. */
  async waitForToken(tokenId: string): Promise<WaitEnd> {
    const { answer, end } = await this.#wait(
      journalCall(JournalKind.WAIT_TOKEN, tokenId),
      (waitId) => ({ case: "wait", value: { $typeName: "runlane.v1.WaitCommand", waitId, condition: { case: "tokenId", value: tokenId } } }),
      () => ({ type: "token", token: tokenId }),
    );
    if (answer.error) throw errorOfStatus(answer.error);
    return end ?? { $typeName: "runlane.v1.WaitEnd", timedOut: false };
  }

  /** See RunRuntime.record. */
  async record(call: JournalCall, run: (requestId: string) => Promise<RecordOutcome>): Promise<RecordOutcome> {
    const asked = this.#look(call);
    if (asked === undefined) return await run("");
    if (asked.recorded) {
      await this.#journal?.turn(asked.recorded);
      const { output, failure } = asked.recorded.entry;
      return failure ? { case: "failure", value: failure } : output ? { case: "output", value: output } : { case: undefined };
    }
    const text = callText(call);
    if (this.#openSteps.has(text)) {
      const what = `${describeCall(call)} is called while another call of it runs: give each a \`key\` of its own, so that their results are told apart when the code runs again`;
      throw new JournalError("JOURNAL_KEY_REQUIRED", what);
    }
    this.#openSteps.add(text);
    try {
      await this.#hold(call, asked);
      const outcome = await run(this.#host.requestId(asked.key));
      await this.#record(asked.key, outcome);
      return outcome;
    } finally {
      this.#openSteps.delete(text);
    }
  }

  async #record(key: JournalKey, outcome: RecordOutcome): Promise<void> {
    const value: RecordCommand = { $typeName: "runlane.v1.RecordCommand", outcome };
    const { error } = await this.#host.commands.ask({ case: "record", value }, key);
    if (error) throw errorOfStatus(error);
  }

  /** A call without a wait. */
  async #ask(call: JournalCall, command: Command): Promise<Answered> {
    const asked = this.#look(call);
    if (asked?.recorded) {
      await this.#journal?.turn(asked.recorded);
      return asked.recorded.entry;
    }
    const held = this.#hold(call, asked);
    if (held !== undefined) await held;
    return await this.#host.commands.ask(command, asked?.key);
  }

  /** A call that waits. `shape` is what the hooks are told of it, undefined for nothing. */
  async #wait(call: JournalCall, make: (waitId: number) => Command, shape: Shape): Promise<WaitOutcome> {
    const asked = this.#look(call);
    if (asked?.recorded) return await this.#ended(asked.recorded, shape);
    const held = this.#hold(call, asked);
    if (held !== undefined) await held;
    return await this.#begin(make, asked?.key, shape);
  }

  /** Begins a wait, and calls the hooks around it. */
  async #begin(make: (waitId: number) => Command, key: JournalKey | undefined, shape: Shape): Promise<WaitOutcome> {
    const { begun, ended }: BegunWait = this.#host.commands.wait(make, key);
    const answer = await begun;
    const wait = answer.error ? undefined : shape(answer);
    if (wait) await this.#callHooks("onWait", wait);
    const outcome = await ended;
    if (wait) await this.#callHooks("onResume", wait);
    return outcome;
  }

  async #callHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> {
    this.#hooksRun += 1;
    try {
      await this.#host.hooks(kind, wait);
    } finally {
      this.#hooksRun -= 1;
    }
  }

  /** The end of a wait that the journal has. Of one that has ended, the hooks have heard, unless it ended while the attempt had no worker. */
  async #ended(recorded: RecordedCall, shape: Shape): Promise<WaitOutcome> {
    const { entry } = recorded;
    let outcome: WaitOutcome;
    if (entry.settled > 0) {
      await this.#journal?.turn(recorded);
      outcome = { answer: entry, results: new Map(entry.results.map((result) => [result.runId, result])), end: entry.end };
    } else outcome = await this.#host.commands.reopened(entry.waitId);
    const wait = entry.settled === 0 || entry.unseen ? shape(outcome.answer) : undefined;
    if (wait) await this.#callHooks("onResume", wait);
    return outcome;
  }

  /** Asks the journal; undefined for a call that is to be in none. */
  #look(call: JournalCall): AskedCall | undefined {
    if (isOutsideJournal()) return undefined;
    this.#journal ??= new Journal();
    return this.#journal.ask(call);
  }

  #hold(call: JournalCall, asked: AskedCall | undefined): Promise<void> | undefined {
    return asked && this.#journal?.hold(call);
  }
}

/** What the hooks are told of a wait, by the answer to its command; undefined for nothing. */
type Shape = (begun: Answered) => TaskWait | undefined;

/** What a command's triggers came to: all of them to its refusal, if it was refused. */
function outcomesOf({ error, outcomes }: Answered, itemCount: number): TriggerOutcome[] {
  return error ? Array.from({ length: itemCount }, () => failed(error)) : outcomes;
}

function runWait({ outcomes }: Answered, batchId: string | undefined, runCount: number): TaskWait | undefined {
  if (batchId !== undefined) return { type: "batch", batchId, runCount };
  const [first] = outcomes;
  return first?.outcome.case === "runId" ? { type: "task", runId: first.outcome.value } : undefined;
}

function triggerCall(kind: JournalKind, items: readonly TriggerItem[]): JournalCall {
  const args = items.flatMap(({ taskId, payload, options }) => {
    // A large payload is stored anew when the code runs again, under another name.
    const key = options?.idempotencyKey?.key ?? "";
    return [taskId, payload?.data ?? "", options?.queue ?? "", options?.concurrencyKey ?? "", key];
  });
  return journalCall(kind, items[0]?.taskId ?? "", ...args);
}
