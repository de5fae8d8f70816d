import { setTimeout as sleep } from "node:timers/promises";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { BatchOutcome, BatchPart, RunResult, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import type { Assignment, AttemptCommand, JournalEntry, JournalKey, WaitEnd } from "#gen/runlane/v1/worker_service_pb.js";
import type { RetryRules } from "../execution/retry-decision.js";
import type { ExecutionHost, TaskExecution } from "../execution/task-execution.js";
import type { HookKind } from "../hooks/hook-table.js";
import { hashedKey } from "../idempotency/idempotency-key.js";
import { Journal } from "../journal/journal.js";
import type { JournalCall } from "../journal/journal-call.js";
import type { JournalError } from "../journal/journal-error.js";
import { type AttemptScope, newAttemptScope } from "../runtime/attempt-scope.js";
import type { RecordOutcome, RunRuntime, TimeWait } from "../runtime/run-runtime.js";
import type { RunUpdates } from "../runtime/run-updates.js";
import type { RegisteredTask } from "../runtime/task-registry.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import { AttemptCommands, type CommandsHost } from "./attempt-commands.js";
import type { ContextMaker } from "./attempt-context.js";
import { type AttemptUpdates, updatesOf } from "./attempt-updates.js";
import { writeOutput } from "./attempt-value.js";
import { cancelReason } from "./cancel-reason.js";
import { JournalledCalls } from "./journalled-calls.js";
import type { TokenKey } from "./token-key.js";

/** How long the last changes of a cancelled attempt may take to reach the server, in milliseconds; less than what passes before code is cut off. */
const lastWordMs = 500;

/** What an attempt needs of the process that executes it. */
export interface AttemptHost {
  readonly contexts: ContextMaker;
  /** See {@link RetryRules}; for tasks without `retry`. */
  readonly defaultRetry: RetryRules["options"];
  /** See {@link RetryRules}. */
  readonly retriesEnabled: boolean;
  /** See {@link RetryRules}. */
  readonly random: RetryRules["random"];
  /** The time, in milliseconds of the Unix epoch. */
  now(): number;
  /** Hears of each hook when it is called. Undefined: nobody does. */
  readonly onHook: ((ctx: TaskRunContext, kind: HookKind) => void) | undefined;
  /** Waits for a time up to so many milliseconds sleep in the process. */
  readonly longestSleepMs: number;
  /** Passes a command on. `key` names it in the journal. */
  send(attempt: Attempt, commandId: number, command: AttemptCommand["command"], key: JournalKey | undefined): void;
  /** Prints a line of the run's logger. */
  log(attempt: Attempt, level: string, message: string, properties: Record<string, unknown> | undefined): void;
  /** Prints that a hook of the attempt threw, where that changes nothing. */
  hookFailed(attempt: Attempt, kind: HookKind, error: unknown): void;
}

/**
 * Where an attempt stands in its process.
 *
 * - `running`: its code runs, or waits.
 * - `aborted`: it was told to stop; when its code ends, nobody wants the result.
 * - `settled`: it has been reported. Code that goes on nevertheless is not heard any more.
 */
export type AttemptState = "running" | "aborted" | "settled";

/** One attempt while it executes: the runtime of its code, which finds it on the asynchronous context. */
export class Attempt implements RunRuntime, ExecutionHost {
  readonly key: TokenKey;
  readonly task: RegisteredTask;
  /** Undefined until its payload is there. */
  execution: TaskExecution | undefined;
  /** Settles when its `onCancel` hooks have ended; undefined if none were called. */
  canceling: Promise<void> | undefined;
  state: AttemptState = "running";
  readonly #host: AttemptHost;
  readonly #assignment: Assignment;
  readonly #startTimeMs: number;
  #ctx: TaskRunContext | undefined;
  #scope: AttemptScope | undefined;
  #controller: AbortController | undefined;
  readonly #entries: readonly JournalEntry[] | undefined;
  /** Undefined if the assignment brings none: then it is made by the first call that asks. */
  readonly #journal: Journal | undefined;
  #commands: AttemptCommands | undefined;
  #calls: JournalledCalls | undefined;
  #updates: AttemptUpdates | undefined;
  #reason: string | undefined;

  /** `entries` is the journal that the assignment brings; undefined for none. */
  constructor(key: TokenKey, assignment: Assignment, task: RegisteredTask, host: AttemptHost, entries?: readonly JournalEntry[]) {
    this.key = key;
    this.task = task;
    this.#assignment = assignment;
    this.#host = host;
    this.#startTimeMs = host.now();
    this.#entries = entries;
    this.#journal = entries && new Journal({ entries, resumed: assignment.resumed });
  }

  get resumed(): boolean {
    return this.#assignment.resumed;
  }

  /** The code runs once more, and has not come to where it was before: what it changes was changed. */
  get replaying(): boolean {
    return this.#journal?.replaying ?? false;
  }

  /** What is wrong with code that has ended, as far as the journal can tell. */
  get mismatch(): JournalError | undefined {
    return this.#journal?.leftOver();
  }

  /** Made when somebody looks at it. */
  get ctx(): TaskRunContext {
    return (this.#ctx ??= this.#host.contexts.make(this.#assignment, this.#startTimeMs));
  }

  get scope(): AttemptScope {
    return (this.#scope ??= newAttemptScope());
  }

  get leftBehind(): AttemptScope | undefined {
    return this.#scope;
  }

  get onHook(): ((kind: HookKind) => void) | undefined {
    const { onHook } = this.#host;
    return onHook && ((kind) => onHook(this.ctx, kind));
  }

  get stopped(): boolean {
    return this.state !== "running";
  }

  /** Preset of its machine; undefined if it has none. */
  get machine(): string | undefined {
    return this.#assignment.settings?.machine || this.task.machine;
  }

  get retryRules(): RetryRules {
    const { attemptNumber: attempt, maxAttempts } = this.#assignment;
    return {
      options: this.task.retry ?? this.#host.defaultRetry,
      attempt,
      maxAttempts,
      enabled: this.#host.retriesEnabled,
      machine: this.machine,
      random: this.#host.random,
    };
  }

  writeOutput(value: unknown): Payload | Promise<Payload> {
    return writeOutput(value, this);
  }

  hookFailed(kind: HookKind, error: unknown): void {
    this.#host.hookFailed(this, kind, error);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Commands and waits; made by the first. */
  get commands(): AttemptCommands {
    if (this.#commands === undefined) {
      const host: CommandsHost = {
        send: (commandId, command, key) => {
          if (this.state !== "settled") this.#host.send(this, commandId, command, key);
        },
        now: () => this.#host.now(),
        whenQuiet: (call) => (this.#journal ? this.#journal.afterwards(call) : call()),
      };
      this.#commands = new AttemptCommands(host, this.#entries);
      if (this.#reason !== undefined) this.#commands.abort(abortError(this.#reason), this.#reason === cancelReason);
    }
    return this.#commands;
  }

  /** Calls that the journal remembers; made by the first. */
  get #journalled(): JournalledCalls {
    return (this.#calls ??= new JournalledCalls({
      commands: this.commands,
      journal: this.#journal,
      longestSleepMs: this.#host.longestSleepMs,
      // 64 characters, which is all that a request may be named by.
      requestId: ({ kind, name, argumentsHash, occurrence }) => {
        const call = [String(kind), name, Buffer.from(argumentsHash).toString("hex"), String(occurrence)];
        return hashedKey([this.ctx.run.id, String(this.ctx.attempt.number), ...call]);
      },
      now: () => this.#host.now(),
      hooks: (kind, wait) => this.execution?.callWaitHooks(kind, wait),
    }));
  }

  get updates(): RunUpdates {
    return (this.#updates ??= updatesOf(this, this.#assignment.settings));
  }

  /** There may be changes of tags or metadata that are not on the server: `settle` before the attempt is reported. */
  get unsettled(): boolean {
    return this.#updates?.unsettled ?? false;
  }

  /** Sends what is left of changes to tags and metadata. A cancelled attempt does not wait long for the answer: it would be taken for code that goes on. */
  async settle(): Promise<void> {
    const sent = this.#updates?.flush();
    if (sent === undefined || this.state === "running") return sent;
    const timeUp = new AbortController();
    await Promise.race([sent, sleep(lastWordMs, undefined, { signal: timeUp.signal }).catch(() => {})]);
    timeUp.abort();
  }

  get waitedMs(): number {
    return this.#commands?.waitedMs ?? 0;
  }

  get activeMs(): number {
    return Math.max(0, this.#host.now() - this.#startTimeMs - this.waitedMs);
  }

  get earlierActiveMs(): number {
    return Number(this.#assignment.settings?.earlierActiveMs ?? 0);
  }

  trigger(items: TriggerItem[]): Promise<TriggerOutcome[]> {
    return this.#journalled.trigger(items);
  }

  triggerBatch(items: TriggerItem[], part: BatchPart): Promise<{ outcomes: TriggerOutcome[]; batch: BatchOutcome | undefined }> {
    return this.#journalled.triggerBatch(items, part);
  }

  triggerAndWait(items: TriggerItem[], batchId?: string): Promise<{ outcomes: TriggerOutcome[]; results: (RunResult | undefined)[] }> {
    void this.#updates?.flush();
    return this.#journalled.triggerAndWait(items, batchId);
  }

  waitForTime(wait: TimeWait): Promise<void> {
    void this.#updates?.flush();
    return this.#journalled.waitForTime(wait);
  }

  waitForToken(tokenId: string): Promise<WaitEnd> {
    void this.#updates?.flush();
    return this.#journalled.waitForToken(tokenId);
  }

  record(call: JournalCall, run: (requestId: string) => Promise<RecordOutcome>): Promise<RecordOutcome> {
    return this.#journalled.record(call, run);
  }

  /** It waits for something, whatever else it does. */
  get waits(): boolean {
    return this.state === "running" && (this.#commands?.waits ?? false);
  }

  /**
   * Ends an attempt where it stands, so that it goes on elsewhere: its code is told nothing and gets no answer any more. False if it does more than wait, or waits for what its journal does not
   * have: then some of its code would run twice.
   */
  evict(): boolean {
    if (!this.waits || this.#commands?.busy || this.#calls?.busy || this.replaying || this.#updates?.pending) return false;
    this.state = "settled";
    this.#updates?.stop();
    return true;
  }

  log(level: string, message: string, properties: Record<string, unknown> | undefined): void {
    this.#host.log(this, level, message, properties);
  }

  /**
   * Aborts the signal, and rejects what the code waits for. `reason` becomes the signal's, as in Trigger.dev. While a run is being cancelled, its code and its hooks may still change tags and
   * metadata; of another attempt nobody wants to hear.
   */
  abort(reason: string): void {
    if (this.state !== "running") return;
    this.state = "aborted";
    this.#reason = reason;
    if (reason !== cancelReason) this.#updates?.stop();
    this.#journal?.break(abortError(reason));
    this.#commands?.abort(abortError(reason), reason === cancelReason);
    this.#controller?.abort(reason);
  }
}

function abortError(reason: string): Error {
  return new DOMException(reason, "AbortError");
}
