import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import {
  type AttemptCommand,
  type AttemptResult,
  AttemptResultSchema,
  type CommandOutcome,
  type Hello,
  type JournalPart,
  type Resume,
  type Welcome,
} from "#gen/runlane/v1/worker_service_pb.js";
import { userAgent } from "../client/grpc-connection.js";
import { ActiveTimes } from "./active-times.js";
import { ArrivingJournals } from "./arriving-journals.js";
import { blockedFailure, died, exceeded, exceededWords, leaseFailure, lost, released } from "./attempt-outcomes.js";
import { cancelReason } from "./cancel-reason.js";
import { CutOffs } from "./cut-offs.js";
import { Evictions, mostWarmWaiting } from "./evictions.js";
import { type HeldAttempt, HeldAttempts } from "./held-attempts.js";
import type { ManifestTask } from "./manifest.js";
import { isWaiting, OpenWaits } from "./open-waits.js";
import type { Outbound } from "./outbound.js";
import type { PassingAssignment, RunnerFrame, ServerFrame } from "./passing-frames.js";
import { limitDeclaration, queueDeclaration } from "./queue-declaration.js";
import { RunnerPool } from "./runner-pool.js";
import type { RunnerProcess } from "./runner-process.js";
import { Session, type SessionHost } from "./session.js";
import type { SupervisorOptions } from "./supervisor-options.js";
import { taskDeclaration } from "./task-declaration.js";
import { keyToken, type TokenKey, tokenKey } from "./token-key.js";
import { hostCapacity, type WorkerCapacity } from "./worker-capacity.js";

/** How long the worker waits for the last receipts before it leaves, in milliseconds. */
const lastReceiptsMs = 2_000;

/**
 * Holds a worker's session, and hands its attempts to runner processes. What the code of an attempt says passes through here, and is kept until the server has confirmed it: a
 * broken stream, a server that restarts or a runner that dies cost nothing that has been said.
 */
export class Supervisor implements SessionHost {
  readonly held = new HeldAttempts();
  readonly #options: SupervisorOptions;
  readonly #session: Session;
  readonly #pool: RunnerPool;
  readonly #capacity: WorkerCapacity;
  readonly #activeTimes = new ActiveTimes((key, seconds) => this.#exceed(key, seconds));
  readonly #tasks: ReadonlyMap<string, ManifestTask>;
  /** Why the worker takes no new work; undefined while it does. */
  #draining: string | undefined;
  #drained: Promise<void> | undefined;
  readonly #graceOver = new AbortController();
  readonly #cutOffs = new CutOffs();
  readonly #journals = new ArrivingJournals();
  readonly #evictions: Evictions;
  readonly #waits: OpenWaits;
  /** Runners end because this worker ends them. */
  #stopped = false;
  #onHeldChange: (() => void) | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#tasks = new Map(options.manifest.tasks.map((task) => [task.id, task]));
    this.#capacity = options.capacity ?? hostCapacity();
    const processors = availableParallelism();
    this.#pool = new RunnerPool({
      program: options.program,
      sharedCount: options.sharedRunners ?? processors,
      ownCount: options.ownRunners ?? Math.max(8, 4 * processors),
      capacity: this.#capacity,
      stallSeconds: options.manifest.stallSeconds,
      first: options.firstRunner,
      isWaiting: (key) => isWaiting(this.held.get(key)),
      onStart: (key) => this.#activeTimes.start(key),
      onFrame: (runner, frame) => this.#hear(runner, frame),
      onDeath: (runner, failure) => this.#bury(runner, failure),
    });
    this.#evictions = new Evictions(options.mostWarmWaiting ?? mostWarmWaiting, (key) => this.#pool.home(key)?.evict(key));
    this.#waits = new OpenWaits(this.#activeTimes, this.#evictions);
    this.#session = new Session(this, options.source, options.log, options.keepsAlive);
  }

  /** Connects, and works from then on. */
  start(): void {
    this.#session.open();
  }

  /**
   * Takes no new work from now on, lets the present attempts finish for `graceMs` milliseconds, gives back the others undone, and ends the session. Without `graceMs` they may take as long
   * as they do; called again, it can only shorten the time. Resolves when everything is said and no code runs any more.
   */
  drain(reason: string, graceMs?: number): Promise<void> {
    if (graceMs === 0) this.#graceOver.abort();
    else if (graceMs !== undefined) setTimeout(() => this.#graceOver.abort(), graceMs).unref();
    this.#drained ??= this.#leave(reason, graceMs);
    return this.#drained;
  }

  async #leave(reason: string, graceMs: number | undefined): Promise<void> {
    this.#draining = reason;
    this.#session.outbound.drain(reason);
    this.#session.saySoon();
    this.#evictions.drain();
    if (graceMs !== undefined && this.held.liveCount > 0)
      this.#options.log(`${reason}: ${this.held.liveCount} attempts may finish within ${Math.round(graceMs / 1_000)} s`);
    await this.#until(() => this.held.liveCount === 0, this.#graceOver.signal);
    const unfinished = Array.from(this.held).filter((attempt) => attempt.live);
    this.#stopped = true;
    this.#pool.stop();
    for (const attempt of unfinished) {
      if (attempt.state !== "running") this.#settle(attempt);
      else this.#report(attempt, released(reason));
    }
    await this.#until(() => this.held.count === 0, AbortSignal.timeout(lastReceiptsMs));
    // What was on its way to this worker when it began to drain must be declined, or it would wait here for the lease.
    await Promise.race([this.#session.heard(), sleep(lastReceiptsMs, undefined, { ref: false })]);
    await this.#session.close();
  }

  hello(): Hello {
    const { manifest, workerId, incarnation, slots } = this.#options;
    return {
      $typeName: "runlane.v1.Hello",
      protocolRevision: 1,
      workerId,
      incarnation,
      tasks: manifest.tasks.map(taskDeclaration),
      slots,
      held: this.held.list(),
      buildId: manifest.buildId,
      capabilities: ["journal"],
      capacity: { $typeName: "runlane.v1.Capacity", ...this.#capacity },
      queues: (manifest.queues ?? []).map(queueDeclaration),
      concurrencyLimits: (manifest.concurrencyLimits ?? []).map(limitDeclaration),
      description: `${userAgent} node/${process.versions.node}`,
    };
  }

  welcomed(welcome: Welcome, outbound: Outbound, anew: boolean): void {
    this.#journals.clear();
    this.#evictions.enabled = welcome.capabilities.includes("journal");
    this.#pool.session = { $typeName: "runlane.internal.v1.RunnerSession", version: welcome.version, environment: welcome.environment };
    for (const attempt of this.held) {
      for (const command of attempt.commands?.values() ?? []) outbound.command(command);
      if (attempt.result) outbound.result(attempt.key, attempt.result);
      if (attempt.state === "canceled") outbound.confirmCancel(attempt.key);
    }
    if (this.#draining !== undefined) outbound.drain(this.#draining);
    if (anew) this.#options.onWelcome(welcome);
  }

  receive({ assignments, receipts, rest }: ServerFrame): void {
    if (assignments.length > 0) this.#assign(this.#journals.assigned(assignments));
    for (const key of receipts) this.#drop(key);
    if (rest) {
      for (const part of rest.journalParts) this.#arrive(part);
      for (const outcome of rest.commandOutcomes) this.#answer(outcome);
      for (const resume of rest.resumes) this.#resume(resume);
      for (const cancel of rest.cancels) this.#cancel(tokenKey(cancel.token));
      for (const token of rest.lost) this.#drop(tokenKey(token));
    }
    this.#onHeldChange?.();
  }

  leaseEnded(): void {
    const live = this.held.liveCount;
    if (live === 0) return;
    this.#options.log(`the server has not been reached for too long: ${live} attempts are ended, because their runs may be started elsewhere`);
    const failure = leaseFailure();
    for (const attempt of this.held) if (attempt.live && this.#pool.unqueue(attempt.key)) this.#report(attempt, lost(failure));
    this.#pool.killBusy(failure);
  }

  refused(error: ConnectError): void {
    this.#pool.stop();
    this.#options.onRefused(error);
  }

  #assign(assignments: readonly PassingAssignment[]): void {
    const shared: PassingAssignment[] = [];
    for (const assignment of assignments) {
      const task = this.#take(assignment);
      if (task === undefined) continue;
      this.#options.reporter?.started(assignment);
      if (assignment.maxDurationSeconds > 0) this.#activeTimes.add(assignment.key, assignment.maxDurationSeconds);
      const machine = assignment.machine || (task.machine ?? "");
      const own = machine !== "" || assignment.ownProcess || this.#options.manifest.isolation === "process";
      if (own) this.#pool.startOwn(assignment, machine);
      else shared.push(assignment);
    }
    if (shared.length > 0) this.#pool.startShared(shared);
  }

  /** Accepts or declines an assignment. Its task if it is to be started: accepted, and not held already. */
  #take({ key, taskId }: PassingAssignment): ManifestTask | undefined {
    const { outbound } = this.#session;
    const task = this.#tasks.get(taskId);
    if (task === undefined || this.#draining !== undefined) {
      outbound.decline(key, task === undefined ? `this worker has no task "${taskId}"` : this.#draining!);
      this.#session.saySoon();
      return undefined;
    }
    const added = this.held.add(key);
    if (added && task.restartOnWorkerLoss) added.restarts = true;
    outbound.accept(key);
    this.#session.sayLater();
    return added && task;
  }

  /** A part of a journal. With the last one the attempt starts; the waits that are open in it are its. */
  #arrive(part: JournalPart): void {
    const arrived = this.#journals.part(part);
    if (arrived === undefined) return;
    const { assignment, resumes } = arrived;
    this.#assign([assignment]);
    const attempt = this.held.get(assignment.key);
    if (attempt === undefined) return;
    if (assignment.resumed) this.#waits.reopen(attempt, assignment.journal ?? []);
    for (const resume of resumes) this.#resume(resume);
  }

  #answer(outcome: CommandOutcome): void {
    const key = tokenKey(outcome.token);
    const attempt = this.held.get(key);
    const command = attempt?.commands?.get(outcome.commandId)?.command;
    if (attempt === undefined || command === undefined) return;
    attempt.commands!.delete(outcome.commandId);
    this.#pool.home(key)?.answer(outcome);
    this.#waits.answered(attempt, command, outcome);
  }

  #resume(resume: Resume): void {
    const key = tokenKey(resume.token);
    const attempt = this.held.get(key);
    if (attempt === undefined) this.#journals.resume(key, resume);
    else if (this.#waits.ended(attempt, resume)) this.#pool.home(key)?.resume(resume);
  }

  #cancel(key: TokenKey): void {
    const attempt = this.held.get(key);
    this.#journals.drop(key);
    if (attempt === undefined || attempt.state === "reported") {
      // No code of it runs here (any more).
      this.#session.outbound.confirmCancel(key);
      this.#session.saySoon();
    } else if (attempt.state === "running") {
      attempt.state = "canceling";
      for (const [id, { command }] of attempt.commands ?? []) if (command.case !== "updateRun") attempt.commands?.delete(id);
      attempt.openWaits = undefined;
      if (this.#pool.unqueue(key)) this.#settle(attempt);
      else this.#stopCode(key, cancelReason);
    } else if (attempt.state === "overdue") attempt.state = "canceling";
  }

  /** The server wants to hear no more of an attempt: it has what it wants, or has given the run to another. Its code, if it runs, is stopped. */
  #drop(key: TokenKey): void {
    const attempt = this.held.remove(key);
    this.#journals.drop(key);
    this.#evictions.goesOn(key);
    this.#options.reporter?.dropped(key);
    if (attempt?.live) {
      this.#activeTimes.remove(key);
      if (!this.#pool.unqueue(key)) this.#stopCode(key, "attempt lost");
    }
  }

  /** Aborts the signal of an attempt, and cuts off its code if it does not end soon. */
  #stopCode(key: TokenKey, reason: string): void {
    this.#pool.home(key)?.abort(key, reason);
    this.#cutOffs.start(key, () => {
      const home = this.#pool.home(key);
      if (home === undefined) return;
      const attempt = this.held.get(key);
      this.#pool.cutOff(key, attempt?.state === "overdue" ? blockedFailure() : undefined);
      if (attempt !== undefined) this.#settle(attempt);
    });
  }

  /** Takes a frame of a runner. */
  #hear(runner: RunnerProcess, { results, rest }: RunnerFrame): void {
    if (rest) {
      // A process of its own whose code may run on is of no use to the next attempt.
      if (rest.abandoned.length > 0 && !runner.isShared) runner.kill();
      for (const command of rest.commands) this.#command(command);
      for (const { token, graceMs } of rest.graces) this.#cutOffs.grant(tokenKey(token), graceMs);
      for (const token of rest.ended) this.#codeEnded(tokenKey(token));
      for (const token of rest.evicted) this.#evicted(tokenKey(token));
    }
    for (const { key, encoded } of results) {
      const attempt = this.#codeEnded(key, encoded);
      if (attempt?.state === "running") this.#keep(attempt, encoded);
    }
    this.#onHeldChange?.();
  }

  #command(command: AttemptCommand): void {
    const attempt = this.held.get(tokenKey(command.token));
    // What a cancelled run may still say: how far it came.
    const heard = attempt?.state === "running" || (attempt?.state === "canceling" && command.command.case === "updateRun");
    if (attempt === undefined || !heard) return;
    attempt.commands ??= new Map();
    attempt.commands.set(command.commandId, command);
    if (this.#waits.asked(attempt, command.command)) this.#pool.startQueued();
    this.#session.outbound.command(command);
    this.#session.saySoon();
  }

  /** An attempt has left, as it was asked to: what it waited for is heard elsewhere. */
  #evicted(key: TokenKey): void {
    const attempt = this.#codeEnded(key);
    if (attempt?.state === "running") this.#report(attempt, released(this.#draining ?? "others need its room"));
  }

  /** The code of an attempt has ended, perhaps with a result. The attempt, if it is held. */
  #codeEnded(key: TokenKey, result?: Uint8Array): HeldAttempt | undefined {
    this.#pool.release(key);
    this.#cutOffs.ended(key);
    const attempt = this.held.get(key);
    // It was done before it heard that its time was over.
    if (attempt?.state === "overdue" && result !== undefined) this.#keep(attempt, result);
    else if (attempt !== undefined) this.#settle(attempt);
    return attempt;
  }

  /** An attempt that was told to stop: nothing of its code runs any more. */
  #settle(attempt: HeldAttempt): void {
    if (attempt.state === "canceling") this.#confirmCancel(attempt);
    else if (attempt.state === "overdue") this.#report(attempt, exceeded(this.#activeTimes.limit(attempt.key) ?? 0));
  }

  /** An attempt has been active for as long as it may. */
  #exceed(key: TokenKey, seconds: number): void {
    const attempt = this.held.get(key);
    if (attempt?.state !== "running") return;
    attempt.state = "overdue";
    attempt.commands = undefined;
    attempt.openWaits = undefined;
    // Whether it answers tells if its event loop is blocked.
    this.#pool.home(key)?.ping();
    this.#stopCode(key, exceededWords(seconds));
  }

  /** A runner is dead, and with it the code of its attempts. */
  #bury(runner: RunnerProcess, failure: Failure): void {
    if (!this.#stopped && (!runner.wasReady || runner.attempts.size > 0))
      this.#options.log(`runner process ${runner.pid ?? ""} has ended with ${runner.attempts.size} attempts: ${failure.message}`);
    for (const key of runner.attempts) {
      this.#cutOffs.ended(key);
      const attempt = this.held.get(key);
      if (attempt?.state === "running")
        this.#report(
          attempt,
          died(runner, failure, (taskId) => this.#tasks.get(taskId)?.outOfMemoryRetry),
        );
      else if (attempt !== undefined) this.#settle(attempt);
    }
    this.#onHeldChange?.();
  }

  #report(attempt: HeldAttempt, outcome: AttemptResult["outcome"]): void {
    this.#keep(attempt, toBinary(AttemptResultSchema, { $typeName: "runlane.v1.AttemptResult", token: keyToken(attempt.key), outcome }));
  }

  /** Keeps an encoded result until its receipt comes, and sends it. */
  #keep(attempt: HeldAttempt, result: Uint8Array): void {
    attempt.state = "reported";
    this.#activeTimes.remove(attempt.key);
    this.#options.reporter?.ended(attempt.key, result);
    attempt.result = result;
    attempt.openWaits = undefined;
    this.#session.outbound.result(attempt.key, result);
    this.#session.saySoon();
  }

  #confirmCancel(attempt: HeldAttempt): void {
    if (attempt.state === "canceled") return;
    attempt.state = "canceled";
    attempt.commands = undefined;
    this.#activeTimes.remove(attempt.key);
    this.#options.reporter?.canceled(attempt.key);
    this.#session.outbound.confirmCancel(attempt.key);
    this.#session.saySoon();
  }

  /** Resolves when `condition` holds for what is held, or time is over. */
  async #until(condition: () => boolean, over: AbortSignal): Promise<void> {
    if (condition() || over.aborted) return;
    await new Promise<void>((resolve) => {
      over.addEventListener("abort", () => resolve(), { once: true });
      this.#onHeldChange = () => {
        if (condition()) resolve();
      };
    });
    this.#onHeldChange = undefined;
  }
}
