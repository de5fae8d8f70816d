import type { RunnerSession } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import { machinePreset } from "../machine/machine-preset.js";
import { type MemoryGroup, MemoryGroups } from "./memory-groups.js";
import { readAttemptTerms } from "./out-of-memory.js";
import { OwnProcessQueue } from "./own-process-queue.js";
import { Pace } from "./pace.js";
import type { PassingAssignment } from "./passing-frames.js";
import { type RunnerListener, RunnerProcess } from "./runner-process.js";
import { RunnerRounds } from "./runner-rounds.js";
import { type RunnerChild, type RunnerProgram, spawnRunner } from "./runner-spawn.js";
import type { TokenKey } from "./token-key.js";
import type { WorkerCapacity } from "./worker-capacity.js";

/** Processes of one attempt each that are kept for the next one, however long that takes. */
const maxIdle = 2;
/** Others are kept for this long, in milliseconds: starting one costs as much as a thousand short attempts. */
const idleMs = 5_000;
/** A process that has not answered for this long is blocked, in milliseconds. */
const blockedMs = 900;
/** Before a shared runner that broke down while it started is started again: this long, twice as long the next time, and so on; in milliseconds. */
const firstRestartDelayMs = 100;
const maxRestartDelayMs = 5_000;

/** How a pool is set up. */
export interface RunnerPoolOptions {
  readonly program: RunnerProgram;
  /** Shared runners at most. */
  readonly sharedCount: number;
  /** Runners of one attempt each without a machine, at most; waiting attempts do not count. Others wait here until one is free. */
  readonly ownCount: number;
  /** What those with a machine may have together, in the same way. */
  readonly capacity: WorkerCapacity;
  /** How long the event loop of a runner may be blocked, in seconds. Default 300. */
  readonly stallSeconds?: number | undefined;
  readonly onFrame: RunnerListener["onFrame"];
  readonly onDeath: RunnerListener["onDeath"];
  /** The attempt's code is about to start: its process has loaded the task files. */
  readonly onStart: (key: TokenKey) => void;
  /** True while the attempt's code waits for runs, and takes no processor. */
  readonly isWaiting: (key: TokenKey) => boolean;
  /** A shared runner that has been started before the pool was made. */
  readonly first?: RunnerChild | undefined;
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
  readonly #queue: OwnProcessQueue;
  readonly #rounds: RunnerRounds;
  /** Undefined until the first process with a machine, and where there can be none. */
  #groups: MemoryGroups | undefined;
  #groupsOpened = false;
  readonly #pace = new Pace();
  #session: RunnerSession | undefined;
  #failedStarts = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: RunnerPoolOptions) {
    this.#options = options;
    this.#queue = new OwnProcessQueue(options);
    this.#rounds = new RunnerRounds(this.#runners, options.stallSeconds);
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
    this.#queue.add(assignment, machine);
    this.startQueued();
  }

  /** Starts attempts that wait for a process of their own, as far as there is room. To be called when an attempt has begun to wait. */
  startQueued(): void {
    if (this.#stopped) return;
    for (let next = this.#queue.next(this.#runners); next !== undefined; next = this.#queue.next(this.#runners)) {
      const runner = this.#idle(next.machine) ?? this.#startOwn(next.machine);
      runner.terms = readAttemptTerms(next.assignment.encoded);
      this.#place(runner, next.assignment);
    }
  }

  /** Takes back an attempt that waits for a process of its own; false if it does not. */
  unqueue(key: TokenKey): boolean {
    return this.#queue.remove(key);
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

  /**
   * Cuts off the code of an attempt. A process of its own is killed at once; a shared one takes nothing new, and is killed when its other attempts have ended. With `ofOthers`, a
   * shared one that does not answer is killed at once too: that is what its other attempts died of.
   */
  cutOff(key: TokenKey, ofOthers?: Failure): void {
    const runner = this.#homes.get(key);
    if (runner === undefined) return;
    if (!runner.isShared) runner.kill();
    else if (ofOthers !== undefined && runner.pinged !== undefined && performance.now() - runner.pinged >= blockedMs) runner.kill(ofOthers);
    else this.#retire(runner);
    this.release(key);
  }

  /** Kills every runner that executes something. `cause` is what its attempts died of. Attempts that wait for a process stay. */
  killBusy(cause?: Failure): void {
    for (const runner of this.#runners) if (runner.attempts.size > 0) runner.kill(cause);
  }

  /** Kills all runners; none is started any more. */
  stop(): void {
    this.#stopped = true;
    this.#rounds.stop();
    clearTimeout(this.#idleTimer);
    for (const runner of this.#runners) runner.kill();
  }

  #place(runner: RunnerProcess, assignment: PassingAssignment): void {
    this.#homes.set(assignment.key, runner);
    runner.start(assignment);
    this.#rounds.wake();
    if (runner.wasReady) this.#options.onStart(assignment.key);
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

  /** Idle processes of other machines give way to it, as far as the worker's memory asks for that. */
  #startOwn(machine: string): RunnerProcess {
    const preset = machinePreset(machine);
    if (preset === undefined) return this.#add(spawnRunner(this.#options.program), machine);
    let memory = preset.memoryMib;
    for (const runner of this.#runners) if (runner.state !== "ending") memory += runner.preset?.memoryMib ?? 0;
    for (const runner of this.#runners) {
      if (memory <= this.#options.capacity.memoryMib) break;
      if (runner.preset === undefined || runner.attempts.size > 0 || runner.state === "ending") continue;
      memory -= runner.preset.memoryMib;
      runner.end();
    }
    const child = spawnRunner(this.#options.program, preset);
    return this.#add(child, machine, this.#memoryGroup(child, preset.memoryMib));
  }

  #memoryGroup(child: RunnerChild, memoryMib: number): MemoryGroup | undefined {
    if (child.pid === undefined) return undefined;
    if (!this.#groupsOpened) this.#groups = MemoryGroups.open((pid) => pid === process.pid || pid === process.ppid || this.#isRunner(pid) || pid === child.pid);
    this.#groupsOpened = true;
    return this.#groups?.make(memoryMib, child.pid);
  }

  #isRunner(pid: number): boolean {
    for (const runner of this.#runners) if (runner.pid === pid) return true;
    return false;
  }

  #keepIdle(runner: RunnerProcess): void {
    this.startQueued();
    if (runner.attempts.size > 0) return;
    runner.idleSince = performance.now();
    if (!this.#stopped) this.#idleTimer ??= setTimeout(() => this.#endIdle(), idleMs).unref();
  }

  /** Ends processes that nobody has needed for a while. */
  #endIdle(): void {
    this.#idleTimer = undefined;
    const idle = [...this.#runners].filter((runner) => !runner.isShared && runner.attempts.size === 0 && runner.state !== "ending");
    const since = performance.now() - idleMs;
    const old = idle.filter((runner) => runner.idleSince <= since);
    for (const runner of old.slice(0, Math.max(0, idle.length - maxIdle))) runner.end();
    if (idle.length - old.length > 0 && idle.length > maxIdle) this.#idleTimer = setTimeout(() => this.#endIdle(), idleMs).unref();
  }

  #retire(runner: RunnerProcess): void {
    if (runner.state !== "ready" && runner.state !== "starting") return;
    runner.state = "retired";
    this.#startAnother();
  }

  #add(child: RunnerChild, machine: string | undefined, group?: MemoryGroup): RunnerProcess {
    const listener: RunnerListener = {
      onFrame: (from, frame) => {
        if (frame.rest?.ready) {
          this.#failedStarts = 0;
          for (const key of from.attempts) this.#options.onStart(key);
        }
        this.#options.onFrame(from, frame);
      },
      onDeath: (dead, failure) => this.#buried(dead, failure),
    };
    const runner = new RunnerProcess(child, machine, listener, group);
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
