import { type AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { RunnerRequest } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import type { Assignment, AttemptCommand, AttemptResult, JournalEntry, JournalKey } from "#gen/runlane/v1/worker_service_pb.js";
import { ChurningMap } from "../churning-map.js";
import { apiErrorOf } from "../errors/api-error.js";
import { defaultNext, type NextAttempt } from "../execution/retry-decision.js";
import { TaskExecution } from "../execution/task-execution.js";
import { TransferFailure } from "../execution/transfer-failure.js";
import type { HookKind } from "../hooks/hook-table.js";
import type { JournalError } from "../journal/journal-error.js";
import type { LogLevel } from "../logger.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";
import type { RetryOptions } from "../task/retry-options.js";
import { Attempt, type AttemptHost } from "./attempt.js";
import { type BuildFacts, ContextMaker } from "./attempt-context.js";
import { parseInput, readInput } from "./attempt-value.js";
import { cancelReason } from "./cancel-reason.js";
import { cutOffMs } from "./cut-offs.js";
import { failureOf, internalFailure, messageOf } from "./failure.js";
import { journalsOf } from "./journal-parts.js";
import { asOutOfMemory } from "./out-of-memory.js";
import { ProcessExitError, type ProcessFault } from "./process-faults.js";
import { printLog } from "./run-output.js";
import { RunnerResponseFrame } from "./runner-frames.js";
import type { TaskLibrary } from "./task-library.js";
import { keyToken, type TokenKey, tokenKey } from "./token-key.js";

/** How long code may go on while its `onCancel` hooks run, in milliseconds. As in Trigger.dev. */
const cancelHooksMs = 30_000;

/** How long until an attempt that was to leave, and had more to do than wait, is asked again, in milliseconds. */
const evictionPauseMs = 50;

// What many attempts share belongs to none of them: a fault of it would be charged to the one that happened to come first, and what is written would keep that one in memory.
const outside = new AsyncResource("runlane.Runner");

/** How a runner is set up. */
export interface RunnerOptions {
  /** Takes an encoded RunnerResponse. */
  send: (frame: Uint8Array) => void;
  build: BuildFacts;
  /** For tasks without `retry`. */
  defaultRetry?: RetryOptions | undefined;
  /** False: no failed attempt is tried again. Default true. */
  retriesEnabled?: boolean | undefined;
  /** The least severe level of `logger` that is printed. Default "info". */
  logLevel?: LogLevel | undefined;
  /** Prints nothing of failed attempts. Default false. */
  quietFailures?: boolean | undefined;
  /** Takes the lines of `logger`, of every level, instead of having them printed. */
  onLog?: ((ctx: TaskRunContext, level: string, message: string, properties: Record<string, unknown> | undefined) => void) | undefined;
  /** Hears of each hook when it is called. */
  onHook?: ((ctx: TaskRunContext, kind: HookKind) => void) | undefined;
  /** Waits for a time up to so many milliseconds sleep in the process, and keep the slot. Default 5,000, as in Trigger.dev. */
  longestSleepMs?: number | undefined;
  /** The time, in milliseconds of the Unix epoch. Default: this machine's. */
  now?: (() => number) | undefined;
  /** Spreads retries: a random number in [0, 1). Default `Math.random`. */
  random?: (() => number) | undefined;
}

/** An assignment that came while the task files were loading. */
interface EarlyAssignment {
  readonly assignment: Assignment;
  readonly entries: readonly JournalEntry[] | undefined;
}

/** Executes attempts, many at a time, each on an asynchronous context of its own. All that one turn of the event loop brings about leaves in one frame. */
export class Runner implements AttemptHost {
  readonly #options: RunnerOptions;
  readonly contexts: ContextMaker;
  readonly #storage: AsyncLocalStorage<RunRuntime> = runRuntimeStorage();
  readonly #attempts = new ChurningMap<Attempt>();
  #library: TaskLibrary | undefined;
  /** Assignments that came while the task files were loading. */
  #early: EarlyAssignment[] = [];
  #frame = new RunnerResponseFrame();
  #flushScheduled = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.contexts = new ContextMaker(options.build);
  }

  get defaultRetry(): RetryOptions | undefined {
    return this.#options.defaultRetry;
  }

  get retriesEnabled(): boolean {
    return this.#options.retriesEnabled ?? true;
  }

  get longestSleepMs(): number {
    return this.#options.longestSleepMs ?? 5_000;
  }

  get onHook(): RunnerOptions["onHook"] {
    return this.#options.onHook;
  }

  get random(): (() => number) | undefined {
    return this.#options.random;
  }

  now(): number {
    return this.#options.now ? this.#options.now() : Date.now();
  }

  /** Says that the task files are loaded; assignments that came before start now. */
  loaded(library: TaskLibrary): void {
    this.#library = library;
    this.#frame.rest.ready = true;
    // At once: the code that starts now may block this process, and its time is measured from here.
    this.#flush();
    for (const { assignment, entries } of this.#early) this.#start(assignment, library, entries);
    this.#early = [];
  }

  /** Takes a frame of the supervisor. */
  receive(frame: RunnerRequest): void {
    if (frame.session) this.contexts.session = frame.session;
    const journals = frame.journalParts.length === 0 ? undefined : journalsOf(frame.journalParts);
    for (const assignment of frame.assignments) {
      const entries = journals?.get(tokenKey(assignment.token));
      if (this.#library) this.#start(assignment, this.#library, entries);
      else this.#early.push({ assignment, entries });
    }
    for (const outcome of frame.commandOutcomes) this.#attempts.get(tokenKey(outcome.token))?.commands.answer(outcome);
    for (const resume of frame.resumes) this.#attempts.get(tokenKey(resume.token))?.commands.resume(resume);
    for (const abort of frame.aborts) this.#abort(tokenKey(abort.token), abort.reason);
    // One turn later: the code has seen what came with it.
    for (const token of frame.evictions) outside.runInAsyncScope(setImmediate, undefined, this.#evict, tokenKey(token));
    if (frame.ping) {
      this.#frame.rest.pong = true;
      this.#schedule();
    }
  }

  /** Tells all code to stop. For a runner that shares its process: one of its own is killed. */
  abandon(reason: string): void {
    for (const attempt of this.#attempts.values()) this.#storage.run(attempt, () => attempt.abort(reason));
  }

  /** Charges a fault to the attempt that caused it; false if it can not be told. Called on the asynchronous context of the code that failed. */
  charge(fault: ProcessFault): boolean {
    const culprit = this.#storage.getStore() ?? (this.#attempts.size === 1 ? this.#attempts.values().next().value : undefined);
    if (!(culprit instanceof Attempt)) return false;
    if (fault.kind === "uncaught" && fault.error instanceof ProcessExitError) return true;
    // Code that goes on after its attempt was reported can change nothing any more.
    if (culprit.state === "settled") {
      if (fault.kind === "uncaught") process.stderr.write(`after the end of the attempt: ${failureOf(fault.error).stackTrace || messageOf(fault.error)}\n`);
      return true;
    }
    // Code that was told to stop may leave rejections behind.
    if (culprit.state === "aborted" && fault.kind === "uncaught" && fault.rejection) return true;
    this.#frame.rest.abandoned.push(keyToken(culprit.key));
    if (fault.kind === "exit") {
      const error = new ProcessExitError(fault.exitCode);
      this.#fail(culprit, error, internalFailure("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", error.message, error));
    } else {
      const what = fault.rejection ? "unhandled rejection" : "uncaught error";
      this.#fail(culprit, fault.error, internalFailure("TASK_RUN_UNCAUGHT_EXCEPTION", `${what}: ${messageOf(fault.error)}`, fault.error));
    }
    return true;
  }

  send(attempt: Attempt, commandId: number, command: AttemptCommand["command"], key: JournalKey | undefined): void {
    const message: AttemptCommand = { $typeName: "runlane.v1.AttemptCommand", token: keyToken(attempt.key), commandId, command };
    if (key) message.journalKey = key;
    this.#frame.rest.commands.push(message);
    this.#schedule();
  }

  log(attempt: Attempt, level: string, message: string, properties: Record<string, unknown> | undefined): void {
    if (this.#options.onLog) this.#options.onLog(attempt.ctx, level, message, properties);
    else this.#storage.run(attempt, printLog, this.#options.logLevel ?? "info", level, message, properties);
  }

  hookFailed(attempt: Attempt, kind: HookKind, error: unknown): void {
    const what = failureOf(error);
    this.#storage.run(attempt, () => process.stderr.write(`${kind} threw, which changes nothing: ${what.stackTrace || what.message}\n`));
  }

  #start(assignment: Assignment, library: TaskLibrary, entries: readonly JournalEntry[] | undefined): void {
    const key = tokenKey(assignment.token);
    if (this.#attempts.has(key)) return;
    const task = library.tasks.get(assignment.taskId);
    if (task === undefined) {
      this.#report(key, { case: "failure", value: attemptFailure(missingTask(assignment.taskId, library), undefined) });
      return;
    }
    const attempt = new Attempt(key, assignment, task, this, entries);
    this.#attempts.set(key, attempt);
    this.#storage.run(attempt, this.#execute, attempt, assignment);
  }

  readonly #execute = async (attempt: Attempt, assignment: Assignment): Promise<void> => {
    let payload: unknown;
    try {
      payload = readInput(assignment.payload, attempt);
      if (payload instanceof Promise) payload = await payload;
      if (attempt.task.parsePayload) payload = await parseInput(attempt.task.parsePayload, payload);
    } catch (error) {
      this.#failInput(attempt, error);
      return;
    }
    if (attempt.state !== "running") return this.#finish(attempt, { case: undefined });
    attempt.execution = new TaskExecution(attempt.task, payload, attempt);
    const outcome = await attempt.execution.execute();
    if (attempt.canceling !== undefined) await attempt.canceling;
    if (attempt.unsettled) await attempt.settle();
    if (outcome.case === "failure") this.#finishFailed(attempt, outcome.failure, outcome.next);
    else if (outcome.case === "output" && attempt.mismatch) this.#failJournal(attempt, attempt.mismatch);
    else this.#finish(attempt, outcome);
  };

  /** Ends an attempt whose code has come to an end that its journal does not lead to. */
  #failJournal(attempt: Attempt, error: JournalError): void {
    this.#fail(attempt, error, internalFailure(error.code, error.message, error));
  }

  /** Ends an attempt whose payload did not make its way. It has no hooks, because they would have nothing to work on. */
  #failInput(attempt: Attempt, error: unknown): void {
    const { code, message, cause, final } = error instanceof TransferFailure ? error : new TransferFailure("TASK_INPUT_ERROR", messageOf(error), error, true);
    this.#finishFailed(attempt, internalFailure(code, message, cause), final ? undefined : defaultNext(apiErrorOf(cause), attempt.retryRules));
  }

  /** Ends an attempt from outside of its code. */
  #fail(attempt: Attempt, error: unknown, failure: Failure): void {
    this.#finishFailed(attempt, failure, defaultNext(error, attempt.retryRules));
  }

  #finishFailed(attempt: Attempt, failure: Failure, next: NextAttempt | undefined): void {
    if (attempt.state === "running") this.#printFailure(attempt, failure, next?.delay);
    this.#finish(attempt, { case: "failure", value: { ...attemptFailure(failure, next), activeMs: BigInt(Math.round(attempt.activeMs)) } });
  }

  /** Reports an attempt: by its outcome, or, if it was aborted, that its code has ended. Only the first report counts. */
  #finish(attempt: Attempt, outcome: AttemptResult["outcome"]): void {
    if (attempt.state === "running") this.#report(attempt.key, outcome);
    else if (attempt.state === "aborted") this.#reportEnded(attempt.key);
    else return;
    attempt.state = "settled";
    this.#attempts.take(attempt.key);
  }

  /** Ends an attempt that waits where it stands. One that does something else beside is asked again, for as long as it waits. */
  readonly #evict = (key: TokenKey): void => {
    const attempt = this.#attempts.get(key);
    if (!attempt?.waits) return;
    if (!attempt.evict()) {
      outside.runInAsyncScope(setTimeout, undefined, this.#evict, evictionPauseMs, key);
      return;
    }
    this.#attempts.take(key);
    this.#frame.rest.evicted.push(keyToken(key));
    this.#schedule();
  };

  #abort(key: TokenKey, reason: string): void {
    const attempt = this.#attempts.get(key);
    if (attempt) {
      this.#storage.run(attempt, () => attempt.abort(reason));
      if (reason === cancelReason) this.#storage.run(attempt, this.#callCancelHooks, attempt);
      return;
    }
    // Not started so far; or its report has crossed this.
    const early = this.#early.findIndex(({ assignment }) => tokenKey(assignment.token) === key);
    if (early === -1) return;
    this.#early.splice(early, 1);
    this.#reportEnded(key);
  }

  readonly #callCancelHooks = (attempt: Attempt): void => {
    const canceling = attempt.execution?.cancel();
    if (canceling === undefined) return;
    this.#grant(attempt, cancelHooksMs);
    attempt.canceling = canceling.then(() => this.#grant(attempt, cutOffMs));
  };

  /** Asks for time before the code of an aborted attempt is cut off. */
  #grant(attempt: Attempt, graceMs: number): void {
    if (attempt.state !== "aborted") return;
    this.#frame.rest.graces.push({ $typeName: "runlane.internal.v1.AbortGrace", token: keyToken(attempt.key), graceMs });
    this.#schedule();
  }

  #report(key: TokenKey, outcome: AttemptResult["outcome"]): void {
    this.#frame.result(key, outcome);
    this.#schedule();
  }

  #reportEnded(key: TokenKey): void {
    this.#frame.rest.ended.push(keyToken(key));
    this.#schedule();
  }

  #printFailure(attempt: Attempt, failure: Failure, delay: number | undefined): void {
    if (this.#options.quietFailures) return;
    const what = failure.stackTrace || (failure.name ? `${failure.name}: ${failure.message}` : failure.message);
    const code = failure.code ? `${failure.code}: ` : "";
    const next = delay === undefined ? "" : `\nnext attempt in ${(delay / 1_000).toFixed(1)} s`;
    this.#storage.run(attempt, () =>
      process.stderr.write(`attempt ${attempt.ctx.attempt.number} of ${attempt.ctx.run.maxAttempts} failed: ${code}${what}${next}\n`),
    );
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    outside.runInAsyncScope(setImmediate, undefined, this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    const frame = this.#frame;
    this.#frame = new RunnerResponseFrame();
    this.#options.send(frame.encode());
  };
}

function attemptFailure(failure: Failure, next: NextAttempt | undefined) {
  const retryMachine = next?.machine ?? "";
  const retryDelay = next && durationFromMs(next.delay);
  // Memory that ran out is said by its code, unless somebody wants another attempt all the same.
  const said = next === undefined || retryMachine !== "" ? asOutOfMemory(failure) : failure;
  return { $typeName: "runlane.v1.AttemptFailure" as const, failure: said, retryDelay, processLost: false, retryMachine };
}

function missingTask(id: string, library: TaskLibrary): Failure {
  const [first] = library.failures;
  if (first === undefined) return internalFailure("COULD_NOT_FIND_TASK", `no task file of this worker declares the task "${id}"`);
  return internalFailure("COULD_NOT_IMPORT_TASK", `the task "${id}" is not there: ${first.module} could not be loaded: ${messageOf(first.error)}`, first.error);
}
