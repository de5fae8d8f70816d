import { machinePreset } from "../machine/machine-preset.js";
import type { PassingAssignment } from "./passing-frames.js";
import type { RunnerProcess } from "./runner-process.js";
import type { TokenKey } from "./token-key.js";
import type { WorkerCapacity } from "./worker-capacity.js";

/** An attempt that waits for a process of its own. */
export interface QueuedAttempt {
  readonly assignment: PassingAssignment;
  /** Preset of its machine; "" for none. */
  readonly machine: string;
}

/** What bounds the processes of one attempt each. */
export interface OwnProcessLimits {
  /** Those without a machine. */
  readonly ownCount: number;
  /** What those with one have together. */
  readonly capacity: WorkerCapacity;
  readonly isWaiting: (key: TokenKey) => boolean;
}

/**
 * Attempts that wait for a process of their own, in their order, with a machine and without apart. The server places no more than the worker has room for; here it matters
 * when a process ends late, or when many attempts without a machine have a process each.
 */
export class OwnProcessQueue {
  readonly #limits: OwnProcessLimits;
  readonly #plain: QueuedAttempt[] = [];
  readonly #machines: QueuedAttempt[] = [];

  constructor(limits: OwnProcessLimits) {
    this.#limits = limits;
  }

  add(assignment: PassingAssignment, machine: string): void {
    const queue = machinePreset(machine) === undefined ? this.#plain : this.#machines;
    queue.push({ assignment, machine });
  }

  /** Takes out an attempt; false if it is not here. */
  remove(key: TokenKey): boolean {
    for (const queue of [this.#plain, this.#machines]) {
      const index = queue.findIndex((queued) => queued.assignment.key === key);
      if (index === -1) continue;
      queue.splice(index, 1);
      return true;
    }
    return false;
  }

  /** Takes out an attempt for which there is room beside what the runners execute; undefined if there is none. */
  next(runners: Iterable<RunnerProcess>): QueuedAttempt | undefined {
    if (this.#machines.length + this.#plain.length === 0) return undefined;
    let plain = 0;
    let milliCpus = 0;
    let memoryMib = 0;
    for (const runner of runners) {
      if (runner.isShared || !this.#isActive(runner)) continue;
      if (runner.preset === undefined) plain += 1;
      milliCpus += runner.preset?.milliCpus ?? 0;
      memoryMib += runner.preset?.memoryMib ?? 0;
    }
    const { capacity, ownCount } = this.#limits;
    const wanted = this.#machines[0] && machinePreset(this.#machines[0].machine);
    // One that is larger than the whole worker runs alone: the server has decided so.
    const fits = milliCpus + (wanted?.milliCpus ?? 0) <= capacity.milliCpus && memoryMib + (wanted?.memoryMib ?? 0) <= capacity.memoryMib;
    if (wanted !== undefined && (fits || memoryMib === 0)) return this.#machines.shift();
    return plain < ownCount ? this.#plain.shift() : undefined;
  }

  #isActive(runner: RunnerProcess): boolean {
    for (const key of runner.attempts) if (!this.#limits.isWaiting(key)) return true;
    return false;
  }
}
