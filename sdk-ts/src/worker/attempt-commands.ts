import type { RunResult } from "#gen/runlane/v1/run_pb.js";
import type { AttemptCommand, CommandOutcome, JournalEntry, JournalKey, Resume, WaitEnd } from "#gen/runlane/v1/worker_service_pb.js";

/** Code UNAVAILABLE of gRPC. */
const unavailable = 14;
/** How long to wait before a command that was answered UNAVAILABLE is sent again, in milliseconds; the upper half is random. */
const retryDelayMs = 400;

/** A command without what only its attempt knows: token and number. */
export type Command = Exclude<AttemptCommand["command"], { case: undefined }>;

interface UnansweredCommand {
  readonly command: Command;
  readonly key: JournalKey | undefined;
  readonly resolve: (outcome: CommandOutcome) => void;
  readonly reject: (reason: unknown) => void;
}

/** How a wait ended. */
export interface WaitOutcome {
  /** The answer to the command that began it. */
  readonly answer: Answered;
  /** Results of the runs that were waited for, by their ids. */
  readonly results: ReadonlyMap<string, RunResult>;
  /** Of a wait for a time or a token; undefined if the command was refused. */
  readonly end: WaitEnd | undefined;
}

/** What of a command's answer matters for who asked. */
export type Answered = Pick<CommandOutcome, "outcomes" | "batch" | "error">;

/** A wait that was begun. */
export interface BegunWait {
  /** Resolves when the server has heard of it. */
  readonly begun: Promise<Answered>;
  readonly ended: Promise<WaitOutcome>;
}

/** A wait ends when both have come: the answer to its command, and the last of its results. After a broken stream either may come first. */
interface OpenWait {
  answer: Answered | undefined;
  readonly journalled: boolean;
  readonly results: Map<string, RunResult>;
  end: WaitEnd | undefined;
  resumed: boolean;
  readonly ended: Promise<WaitOutcome>;
  readonly resolve: (outcome: WaitOutcome) => void;
  readonly reject: (reason: unknown) => void;
}

/** What commands and waits need of their attempt. */
export interface CommandsHost {
  /** Passes a command on; the supervisor keeps it until its answer comes. */
  send(commandId: number, command: Command, key: JournalKey | undefined): void;
  /** Measures waits, in milliseconds. */
  now(): number;
  /** Calls a function when the code may hear of what is new: at once, unless its journal still tells it of what is old. */
  whenQuiet(call: () => void): void;
}

/** The commands and waits of one attempt, as they are on their way. */
export class AttemptCommands {
  readonly #host: CommandsHost;
  #lastCommandId = 0;
  #lastWaitId = 0;
  #unanswered = new Map<number, UnansweredCommand>();
  #waits = new Map<number, OpenWait>();
  #continueScheduled = false;
  /** Time in which at least one wait was open, in milliseconds, until the last one ended. */
  #waitedMs = 0;
  /** When the first of the open waits began. */
  #waitingSince = 0;
  #aborted: { readonly reason: unknown; readonly updatesGoOn: boolean } | undefined;

  /** `entries` is what the attempt's journal has, if it goes on: numbers count on from there, and the waits that are open there are open. */
  constructor(host: CommandsHost, entries: readonly JournalEntry[] = []) {
    this.#host = host;
    for (const { commandId, waitId, settled, outcomes, batch, error } of entries) {
      this.#lastCommandId = Math.max(this.#lastCommandId, commandId);
      this.#lastWaitId = Math.max(this.#lastWaitId, waitId);
      if (waitId > 0 && settled === 0) this.#waits.set(waitId, openWait(true, { outcomes, ...(batch ? { batch } : {}), ...(error ? { error } : {}) }));
    }
    if (this.#waits.size === 0) return;
    this.#waitingSince = host.now();
    // The run executes, as far as the server knows. When the code has come to where it was it may be waiting again.
    host.whenQuiet(() => this.#continueSoon());
  }

  /** How long the attempt has waited so far, in milliseconds. */
  get waitedMs(): number {
    return this.#waits.size === 0 ? this.#waitedMs : this.#waitedMs + this.#host.now() - this.#waitingSince;
  }

  /** Some wait is open. */
  get waits(): boolean {
    return this.#waits.size > 0;
  }

  /** Something is on its way to the server, or a wait is open that no journal has. */
  get busy(): boolean {
    if (this.#unanswered.size > 0 || this.#continueScheduled) return true;
    for (const { journalled } of this.#waits.values()) if (!journalled) return true;
    return false;
  }

  /** Sends a command; resolves with its answer, which may be a refusal. `key` names it in the journal. */
  ask(command: Command, key?: JournalKey): Promise<CommandOutcome> {
    if (this.#aborted && !(this.#aborted.updatesGoOn && command.case === "updateRun")) return Promise.reject(this.#aborted.reason);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastCommandId;
      this.#unanswered.set(id, { command, key, resolve, reject });
      this.#host.send(id, command, key);
    });
  }

  /** Begins a wait with the command that is made for its number. */
  wait(make: (waitId: number) => Command, key: JournalKey | undefined): BegunWait {
    const waitId = ++this.#lastWaitId;
    const wait = openWait(key !== undefined);
    if (this.#waits.size === 0) this.#waitingSince = this.#host.now();
    if (!this.#aborted) this.#waits.set(waitId, wait);
    const begun = this.ask(make(waitId), key);
    begun.then((answer) => {
      wait.answer = answer;
      this.#endWait(waitId, wait);
    }, wait.reject);
    return { begun, ended: wait.ended };
  }

  /** The end of a wait that was open already when the attempt went on. */
  reopened(waitId: number): Promise<WaitOutcome> {
    const wait = this.#waits.get(waitId);
    return wait ? wait.ended : Promise.reject(this.#aborted?.reason ?? new Error(`the attempt has no wait ${waitId}`));
  }

  /** Takes the answer to a command. */
  answer(outcome: CommandOutcome): void {
    const asked = this.#unanswered.get(outcome.commandId);
    if (asked === undefined) return;
    const { error } = outcome;
    if (error?.code === unavailable) {
      setTimeout(() => this.#resend(outcome.commandId), retryDelayMs * (0.5 + Math.random() / 2));
      return;
    }
    this.#unanswered.delete(outcome.commandId);
    asked.resolve(outcome);
  }

  /** Takes results of a wait. Results are told apart by their run, so it does no harm if some come twice. */
  resume(resume: Resume): void {
    const wait = this.#waits.get(resume.waitId);
    if (wait === undefined) return;
    for (const result of resume.results) wait.results.set(result.runId, result);
    if (resume.more) return;
    wait.end = resume.end;
    this.#host.whenQuiet(() => {
      wait.resumed = true;
      this.#endWait(resume.waitId, wait);
      this.#continueSoon();
    });
  }

  /** Rejects whatever the code waits for, now and later; but for changes of tags and metadata, if these go on. */
  abort(reason: unknown, updatesGoOn = false): void {
    this.#aborted = { reason, updatesGoOn };
    for (const [id, { command, reject }] of this.#unanswered) {
      if (updatesGoOn && command.case === "updateRun") continue;
      this.#unanswered.delete(id);
      reject(reason);
    }
    for (const { reject } of this.#waits.values()) reject(reason);
    this.#waits.clear();
  }

  /** One turn later the code has seen what it was told. If it still waits for something, the run gives its slot back. */
  #continueSoon(): void {
    if (this.#continueScheduled) return;
    this.#continueScheduled = true;
    setImmediate(() => {
      this.#continueScheduled = false;
      if (this.#waits.size === 0) return;
      // Refused if one of them has ended meanwhile: then its resume is on its way.
      this.ask({ case: "continueWaiting", value: { $typeName: "runlane.v1.ContinueWaitingCommand", openWaits: [...this.#waits.keys()] } }).catch(() => {});
    });
  }

  #endWait(waitId: number, wait: OpenWait): void {
    const { answer } = wait;
    if (answer === undefined || (!wait.resumed && isWaitedFor(answer))) return;
    this.#waits.delete(waitId);
    if (this.#waits.size === 0) this.#waitedMs += this.#host.now() - this.#waitingSince;
    wait.resolve({ answer, results: wait.results, end: wait.end });
  }

  #resend(commandId: number): void {
    const asked = this.#unanswered.get(commandId);
    if (asked) this.#host.send(commandId, asked.command, asked.key);
  }
}

/** Whether a wait whose command was answered so has an end that is still to come: nothing waits for items that could not be triggered, nor for what was refused. */
function isWaitedFor({ error, outcomes }: Answered): boolean {
  return error === undefined && (outcomes.length === 0 || outcomes.some(({ outcome }) => outcome.case === "runId"));
}

function openWait(journalled: boolean, answer?: Answered): OpenWait {
  const { promise, resolve, reject } = withResolvers<WaitOutcome>();
  // Code that was stopped may not look at it.
  promise.catch(() => {});
  return { answer, journalled, results: new Map(), end: undefined, resumed: false, ended: promise, resolve, reject };
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
