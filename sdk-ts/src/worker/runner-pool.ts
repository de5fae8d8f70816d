import type { RunnerSession } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import { Pace } from "./pace.js";
import type { PassingAssignment } from "./passing-frames.js";
import { type RunnerListener, RunnerProcess } from "./runner-process.js";
import { type RunnerChild, type RunnerProgram, spawnRunner } from "./runner-spawn.js";
import type { TokenKey } from "./token-key.js";

/** Processes of one attempt each that are kept for the next one. */
const maxIdle = 2;
/** Before a shared runner that broke down while it started is started again: this long, twice as long the next time, and so on; in milliseconds. */
const firstRestartDelayMs = 100;
const maxRestartDelayMs = 5_000;

/** How a pool is set up. */
export interface RunnerPoolOptions {
  readonly program: RunnerProgram;
  /** Shared runners at most. */
  readonly sharedCount: number;
  /** Runners that execute one attempt each, at most; waiting attempts do not count. Others wait here until one is free. */
  readonly ownCount: number;
  readonly onFrame: RunnerListener["onFrame"];
  readonly onDeath: RunnerListener["onDeath"];
  /** True while the attempt's code waits for runs, and takes no processor. */
  readonly isWaiting: (key: TokenKey) => boolean;
  /** A shared runner that has been started before the pool was made. */
  readonly first?: RunnerChild | undefined;
}

interface QueuedAttempt {
  readonly assignment: PassingAssignment;
  readonly machine: string;
}

/**
 * The runner processes of a worker. Shared ones take many attempts each: the first starts with the pool, another whenever all are busy, up to `sharedCount`. The others take
 * one attempt at a time, and are used again for the same machine.
 */
export class RunnerPool {
  readonly #options: RunnerPoolOptions;
  readonly #runners = new Set<RunnerProcess>();
  /** Where each attempt's code is. */
  readonly #homes = new Map<TokenKey, RunnerProcess>();
  /** Attempts that wait for a process of their own. */
  #queue: QueuedAttempt[] = [];
  readonly #pace = new Pace();
  #session: RunnerSession | undefined;
  #failedStarts = 0;
  #stopped = false;

  constructor(options: RunnerPoolOptions) {
    this.#options = options;
    this.#startShared(options.first);
  }

  /** Tells all runners, also those that start later, of the session. */
  set session(session: RunnerSession) {
    this.#session = session;
    for (const runner of this.#runners) runner.session = session;
  }

  /** The process that the attempt's code runs in. */
  home(key: TokenKey): RunnerProcess | undefined {
    return this.#homes.get(key);
  }

  /** Starts the attempts of one frame in shared runners: the least loaded takes the next block. */
  startShared(assignments: readonly PassingAssignment[]): void {
    const now = performance.now();
    const size = this.#pace.block(assignments.length, now);
    for (let from = 0; from < assignments.length; from += size) {
      const runner = this.#leastLoaded() ?? this.#startShared();
      if (runner.attempts.size > 0) this.#startAnother();
      else this.#pace.runnerBusy(now);
      const to = Math.min(assignments.length, from + size);
      for (let at = from; at < to; at += 1) this.#place(runner, assignments[at]!);
    }
  }

  /** Starts an attempt in a process of its own; `machine` is "" for none in particular. */
  startOwn(assignment: PassingAssignment, machine: string): void {
    this.#queue.push({ assignment, machine });
    this.startQueued();
  }

  /** Starts attempts that wait for a process of their own, as far as there is room. To be called when an attempt has begun to wait. */
  startQueued(): void {
    while (!this.#stopped && this.#queue.length > 0 && this.#busyOwn() < this.#options.ownCount) {
      const { assignment, machine } = this.#queue.shift()!;
      this.#place(this.#idle(machine) ?? this.#add(spawnRunner(this.#options.program, machine), machine), assignment);
    }
  }

  /** Takes back an attempt that waits for a process of its own; false if it does not. */
  unqueue(key: TokenKey): boolean {
    const index = this.#queue.findIndex((queued) => queued.assignment.key === key);
    if (index === -1) return false;
    this.#queue.splice(index, 1);
    return true;
  }

  /** The attempt's code has ended, or nobody waits for its end any more. */
  release(key: TokenKey): void {
    const runner = this.#homes.get(key);
    if (runner === undefined) return;
    this.#homes.delete(key);
    runner.attempts.delete(key);
    if (runner.isShared) {
      this.#pace.finished();
      if (runner.attempts.size === 0) this.#pace.runnerIdle(performance.now());
    }
    if (runner.attempts.size > 0 || runner.state === "dead") return;
    if (runner.state === "retired") runner.kill();
    else if (!runner.isShared) this.#keepIdle(runner);
  }

  /** Cuts off the code of an attempt. A process of its own is killed at once; a shared one takes nothing new, and is killed when its other attempts have ended. */
  cutOff(key: TokenKey): void {
    const runner = this.#homes.get(key);
    if (runner === undefined) return;
    if (runner.isShared) this.#retire(runner);
    else runner.kill();
    this.release(key);
  }

  /** Kills every runner that executes something. `cause` is what its attempts died of. Attempts that wait for a process stay. */
  killBusy(cause?: Failure): void {
    for (const runner of this.#runners) if (runner.attempts.size > 0) runner.kill(cause);
  }

  /** Kills all runners; none is started any more. */
  stop(): void {
    this.#stopped = true;
    for (const runner of this.#runners) runner.kill();
  }

  #place(runner: RunnerProcess, assignment: PassingAssignment): void {
    this.#homes.set(assignment.key, runner);
    runner.start(assignment);
  }

  /** The shared runner with the fewest attempts; one that is ready, if there is one. */
  #leastLoaded(): RunnerProcess | undefined {
    let best: RunnerProcess | undefined;
    for (const runner of this.#runners) {
      if (!runner.isShared || (runner.state !== "ready" && runner.state !== "starting")) continue;
      const better = best === undefined || (runner.state === best.state ? runner.attempts.size < best.attempts.size : runner.state === "ready");
      if (better) best = runner;
    }
    return best;
  }

  #startAnother(): void {
    let usable = 0;
    for (const runner of this.#runners) {
      if (!runner.isShared) continue;
      if (runner.state === "starting") return;
      if (runner.state === "ready") usable += 1;
    }
    if (usable < this.#options.sharedCount) this.#startShared();
  }

  #startShared(child = spawnRunner(this.#options.program)): RunnerProcess {
    return this.#add(child, undefined);
  }

  #idle(machine: string): RunnerProcess | undefined {
    for (const runner of this.#runners) {
      if (runner.machine === machine && runner.attempts.size === 0 && (runner.state === "ready" || runner.state === "starting")) return runner;
    }
    return undefined;
  }

  #busyOwn(): number {
    let busy = 0;
    for (const runner of this.#runners) {
      if (runner.isShared) continue;
      for (const key of runner.attempts) if (!this.#options.isWaiting(key)) busy += 1;
    }
    return busy;
  }

  #keepIdle(runner: RunnerProcess): void {
    this.startQueued();
    if (runner.attempts.size > 0) return;
    let idle = 0;
    for (const other of this.#runners) if (!other.isShared && other.attempts.size === 0) idle += 1;
    if (idle > maxIdle) runner.end();
  }

  #retire(runner: RunnerProcess): void {
    if (runner.state !== "ready" && runner.state !== "starting") return;
    runner.state = "retired";
    this.#startAnother();
  }

  #add(child: RunnerChild, machine: string | undefined): RunnerProcess {
    const runner = new RunnerProcess(child, machine, {
      onFrame: (from, frame) => {
        if (frame.rest?.ready) this.#failedStarts = 0;
        this.#options.onFrame(from, frame);
      },
      onDeath: (dead, failure) => this.#buried(dead, failure),
    });
    this.#runners.add(runner);
    if (this.#session) runner.session = this.#session;
    return runner;
  }

  #buried(runner: RunnerProcess, failure: Failure): void {
    this.#runners.delete(runner);
    for (const key of runner.attempts) this.#homes.delete(key);
    if (runner.isShared && runner.attempts.size > 0) this.#pace.runnerIdle(performance.now());
    this.#options.onDeath(runner, failure);
    if (this.#stopped) return;
    this.startQueued();
    if (!runner.isShared) return;
    const delay = runner.wasReady ? 0 : Math.min(maxRestartDelayMs, firstRestartDelayMs * 2 ** this.#failedStarts++);
    setTimeout(() => {
      if (!this.#stopped && this.#leastLoaded() === undefined) this.#startShared();
    }, delay);
  }
}
