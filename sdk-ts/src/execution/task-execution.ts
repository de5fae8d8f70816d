import type { Failure, Payload } from "#gen/runlane/v1/payload_pb.js";
import { apiErrorOf } from "../errors/api-error.js";
import { isCompletion } from "../errors/task-errors.js";
import type { HandleErrorModificationOptions, TaskWait } from "../hooks/hook-params.js";
import type { Hook, HookKind } from "../hooks/hook-table.js";
import { isJournalError } from "../journal/journal-error.js";
import { outsideJournal } from "../journal/outside-journal.js";
import type { RegisteredTask } from "../runtime/task-registry.js";
import { failureOf, internalFailure, messageOf } from "../worker/failure.js";
import { HookCalls, type HookHost } from "./hook-calls.js";
import { throughMiddleware } from "./middleware-chain.js";
import { decisionOf, defaultNext, effectiveRetry, endsRun, type NextAttempt, type RetryDecision, type RetryRules } from "./retry-decision.js";
import { RunParams, type RunParamsSource } from "./run-params.js";
import { TransferFailure } from "./transfer-failure.js";

/** How long promises given to `waitUntil` may take after the rest, in milliseconds. As in Trigger.dev. */
const waitUntilMs = 60_000;

const noInit: object = Object.freeze({});

/** What an attempt needs of whoever executes it. Its code must run on the asynchronous context that carries the attempt's RunRuntime. */
export interface ExecutionHost extends RunParamsSource, HookHost {
  /** True when nobody wants a result any more: the run was cancelled, the attempt lost, or it has been reported. */
  readonly stopped: boolean;
  /** The attempt goes on after its worker was lost: `onStart` and `onStartAttempt` have been called. */
  readonly resumed: boolean;
  /** Asked after a failure only. */
  readonly retryRules: RetryRules;
  /**
   * Encodes what `run` returned, and puts it where it belongs.
   *
   * @throws TransferFailure
   */
  writeOutput(value: unknown): Payload | Promise<Payload>;
  /** A hook threw where that changes nothing. */
  hookFailed(kind: HookKind, error: unknown): void;
}

/** What an attempt came to. */
export type TaskOutcome =
  | { readonly case: "output"; readonly value: Payload }
  | {
      readonly case: "failure";
      readonly failure: Failure;
      /** Undefined if there is to be no other attempt. */
      readonly next: NextAttempt | undefined;
    }
  /** It was stopped before it came to anything. */
  | { readonly case: undefined };

const stoppedOutcome: TaskOutcome = { case: undefined };

/** One attempt at a task: its hooks, its `run`, and what follows from how that ends. docs/hooks.md has the order. A task without hooks pays for none. */
export class TaskExecution {
  readonly #task: RegisteredTask;
  readonly #payload: unknown;
  readonly #host: ExecutionHost;
  readonly #hooks: HookCalls;
  #init: object | undefined = noInit;
  #canceling: Promise<void> | undefined;
  /** Where `run` and what is before it stand, for `runPromise`. */
  #progress: "running" | "returned" | "threw" = "running";
  #end: unknown;
  #onEnd: (() => void) | undefined;

  constructor(task: RegisteredTask, payload: unknown, host: ExecutionHost) {
    this.#task = task;
    this.#payload = payload;
    this.#host = host;
    this.#hooks = new HookCalls(task.hooks, host);
  }

  /** Executes it. To be called once; never rejects. */
  execute(): Promise<TaskOutcome> {
    const middleware = this.#hooks.any ? this.#hooks.of("middleware") : [];
    return middleware.length === 0 ? this.#attempt() : this.#inMiddleware(middleware);
  }

  /** Calls the `onCancel` hooks; undefined if there are none. To be called when the signal has been aborted because the run was cancelled. The promise never rejects. */
  cancel(): Promise<void> | undefined {
    if (this.#canceling !== undefined || this.#hooks.of("onCancel").length === 0) return this.#canceling;
    const runPromise = new Promise<unknown>((resolve, reject) => {
      const settle = () => (this.#progress === "returned" ? resolve(this.#end) : reject(this.#end));
      if (this.#progress === "running") this.#onEnd = settle;
      else settle();
    });
    runPromise.catch(() => {});
    return (this.#canceling = this.#tell("onCancel", { runPromise }));
  }

  /** Calls the hooks around a wait; undefined if there are none. Rejects with what one of them throws. */
  callWaitHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined {
    if (!this.#hooks.any || this.#hooks.of(kind).length === 0) return undefined;
    return this.#callOnce(kind, { init: this.#init, wait });
  }

  async #inMiddleware(hooks: readonly Hook[]): Promise<TaskOutcome> {
    let outcome: TaskOutcome | undefined;
    try {
      await throughMiddleware(hooks, this.#params(), async () => {
        outcome = await this.#attempt();
      });
    } catch (error) {
      if (this.#host.stopped) return stoppedOutcome;
      await this.#tell("onError", { error });
      return failed(internalFailure("TASK_MIDDLEWARE_ERROR", messageOf(error), error), defaultNext(error, this.#host.retryRules));
    }
    // As in Trigger.dev: middleware that never calls `next` completes the run, without output.
    return outcome ?? (await this.#succeed(undefined, false));
  }

  async #attempt(): Promise<TaskOutcome> {
    let output: unknown;
    let begun = false;
    try {
      if (this.#hooks.any) await this.#prepare();
      begun = true;
      output = await this.#task.run(this.#payload, new RunParams(this.#host, this.#init ?? noInit));
    } catch (error) {
      if (!begun || !isCompletion(error)) return await this.#fail(error);
      output = error.output;
    }
    this.#ended("returned", output);
    if (this.#host.stopped) return await this.#stop();
    if (this.#hooks.any || this.#host.leftBehind !== undefined) return await this.#succeed(output, true);
    // What follows is what #succeed does, for most tasks: without another promise.
    try {
      const written = this.#host.writeOutput(output);
      return { case: "output", value: written instanceof Promise ? await written : written };
    } catch (error) {
      return await this.#notWritten(error);
    }
  }

  /** The hooks before `run`. */
  async #prepare(): Promise<void> {
    this.#init = undefined;
    let merged: object = {};
    for (const hook of this.#hooks.of("init")) {
      const made = await hook(this.#params());
      if (typeof made === "object" && made !== null && !Array.isArray(made)) merged = { ...merged, ...made };
    }
    this.#init = merged;
    this.#goOn();
    if (this.#host.resumed) return;
    if (this.#host.ctx.attempt.number === 1) await this.#callOnce("onStart", { init: merged });
    this.#goOn();
    await this.#callOnce("onStartAttempt", {});
    this.#goOn();
  }

  async #succeed(output: unknown, wasRun: boolean): Promise<TaskOutcome> {
    let value: Payload;
    try {
      value = await this.#host.writeOutput(output);
    } catch (error) {
      return await this.#notWritten(error);
    }
    if (wasRun) {
      await this.#tell("onSuccess", { output });
      await this.#tell("onComplete", { result: { ok: true, data: output } });
      try {
        await this.#call("cleanup", { init: this.#init });
      } catch (error) {
        await this.#settlePending();
        await this.#tell("onError", { error });
        // As in Trigger.dev there is no other attempt: this one has succeeded, and its hooks have said so.
        return failed(internalFailure("TASK_EXECUTION_FAILED", `cleanup: ${messageOf(error)}`, error), undefined);
      }
    }
    await this.#settlePending();
    return { case: "output", value };
  }

  /** `run`, or a hook before it, threw. */
  async #fail(error: unknown): Promise<TaskOutcome> {
    this.#ended("threw", error);
    if (this.#host.stopped) return await this.#stop();
    await this.#tell("onError", { error });
    let decision: RetryDecision;
    try {
      decision = await this.#decide(error);
    } catch (thrown) {
      await this.#cleanUp();
      return failed({ ...internalFailure("HANDLE_ERROR_ERROR", messageOf(thrown), thrown), cause: failureOf(error) }, undefined);
    }
    if (this.#host.stopped) return await this.#stop();
    const { next, error: reported = error } = decision;
    if (next === undefined) {
      await this.#tell("onFailure", { error: reported });
      await this.#tell("onComplete", { result: { ok: false, error: reported } });
    }
    await this.#cleanUp();
    return failed(isJournalError(reported) ? internalFailure(reported.code, reported.message, reported) : failureOf(reported), next);
  }

  async #notWritten(error: unknown): Promise<TaskOutcome> {
    const { code, message, cause, final } = error instanceof TransferFailure ? error : new TransferFailure("TASK_OUTPUT_ERROR", messageOf(error), error, true);
    if (this.#host.stopped) return await this.#stop();
    await this.#tell("onError", { error: cause });
    await this.#cleanUp();
    return failed(internalFailure(code, message, cause), final ? undefined : defaultNext(apiErrorOf(cause), this.#host.retryRules));
  }

  async #stop(): Promise<TaskOutcome> {
    await this.#canceling;
    await this.#cleanUp();
    return stoppedOutcome;
  }

  async #decide(error: unknown): Promise<RetryDecision> {
    const rules = this.#host.retryRules;
    const next = defaultNext(error, rules);
    if (endsRun(error, rules)) return { next };
    const delay = next?.delay;
    for (const hook of this.#hooks.of("catchError")) {
      const retryAt = delay === undefined ? undefined : new Date(Date.now() + delay);
      const said = await hook({ ...this.#params(), init: this.#init, error, retry: effectiveRetry(rules), retryAt, retryDelayInMs: delay });
      if (said) return decisionOf(error, said as HandleErrorModificationOptions, rules, Date.now());
    }
    return { next };
  }

  /** The end of an attempt that has not succeeded: what `cleanup` throws changes nothing any more. */
  async #cleanUp(): Promise<void> {
    await this.#tell("cleanup", {});
    await this.#settlePending();
  }

  /** Calls hooks one after another; the first that throws ends it. */
  async #call(kind: HookKind, more: object): Promise<void> {
    for (const hook of this.#hooks.of(kind)) await hook({ ...this.#params(), ...more });
  }

  /** The same for hooks that are not called again when the attempt goes on after its worker was lost. */
  async #callOnce(kind: HookKind, more: object): Promise<void> {
    if (this.#hooks.of(kind).length > 0) await outsideJournal(() => this.#call(kind, more));
  }

  /** Calls hooks one after another, whatever they throw. */
  async #tell(kind: HookKind, more: object): Promise<void> {
    for (const hook of this.#hooks.of(kind)) {
      try {
        await hook({ ...this.#params(), init: this.#init, ...more });
      } catch (error) {
        this.#host.hookFailed(kind, error);
      }
    }
  }

  async #settlePending(): Promise<void> {
    const pending = this.#host.leftBehind?.pending;
    if (pending === undefined || pending.length === 0) return;
    const timer: { over: boolean; id?: NodeJS.Timeout } = { over: false };
    const timeUp = new Promise<void>((resolve) => {
      timer.id = setTimeout(() => {
        timer.over = true;
        resolve();
      }, waitUntilMs);
    });
    // What is waited for may add to it.
    while (pending.length > 0 && !timer.over) await Promise.race([Promise.allSettled(pending.splice(0)), timeUp]);
    clearTimeout(timer.id);
  }

  #params(): object {
    const { ctx, signal } = this.#host;
    return { ctx, payload: this.#payload, task: this.#task.id, signal };
  }

  #ended(progress: "returned" | "threw", end: unknown): void {
    this.#progress = progress;
    this.#end = end;
    this.#onEnd?.();
  }

  /** Goes no further towards `run` once the attempt was stopped. */
  #goOn(): void {
    if (this.#host.stopped) throw this.#host.signal.reason;
  }
}

function failed(failure: Failure, next: NextAttempt | undefined): TaskOutcome {
  return { case: "failure", failure, next };
}
