import type { ConnectionSource } from "../client/connection-source.js";
import { type RegisteredTask, taskRegistry } from "../runtime/task-registry.js";
import { InProcessRunner } from "./in-process-runner.js";
import { manifestTask, type TaskDefaults } from "./manifest-task.js";
import type { RunnerOptions } from "./runner.js";
import { Supervisor } from "./supervisor.js";
import { indexedLimits, indexedTask } from "./task-index.js";

/** More than anybody has: what limits runs is their queues. */
const slots = 100_000;
/** Of cores and memory, likewise. */
const plenty = 1_000_000_000;

/** How a worker within this process is set up. */
export interface InProcessWorkerOptions extends Pick<RunnerOptions, "now" | "onHook" | "onLog" | "random"> {
  readonly source: ConnectionSource;
  /** What it executes. A task may be replaced while it works, by one of the same id: attempts that start later execute that. */
  readonly tasks: ReadonlyMap<string, RegisteredTask>;
  /** What the config says for tasks that do not. */
  readonly defaults: TaskDefaults;
  /** The config's. */
  readonly project?: string | undefined;
  /** Called whenever something passes between the worker and its runners. */
  readonly onFrame: () => void;
}

/** A worker that executes its attempts in this process: a supervisor as any other, whose runners are no processes. For the testing kit. */
export class InProcessWorker {
  readonly #supervisor: Supervisor;
  /** Resolves when the server has taken it. Rejects, with a ConnectError, if it does not want it. */
  readonly welcomed: Promise<void>;

  constructor({ source, tasks, defaults, onFrame, ...options }: InProcessWorkerOptions) {
    let welcome: () => void = () => {};
    let refuse: (error: unknown) => void = () => {};
    this.welcomed = new Promise<void>((resolve, reject) => {
      welcome = resolve;
      refuse = reject;
    });
    const library = { tasks, failures: [] };
    const { defaultRetry } = defaults;
    this.#supervisor = new Supervisor({
      manifest: {
        formatVersion: 1,
        buildId: "in-process",
        modules: [],
        tasks: Array.from(tasks.values(), (task) => manifestTask(indexedTask(task, ""), defaults)),
        defaultRetry,
        ...indexedLimits(taskRegistry()),
      },
      // No wait sleeps in the process: its time may not be this machine's.
      program: {
        entry: "",
        manifestFile: "",
        start: () => new InProcessRunner({ ...options, longestSleepMs: 0, defaultRetry, quietFailures: true, library, onFrame }),
      },
      source,
      log: () => {},
      workerId: "in-process",
      incarnation: 1n,
      slots,
      sharedRunners: 1,
      ownRunners: slots,
      capacity: { milliCpus: plenty, memoryMib: plenty },
      // Whoever forgets to close it is not held up.
      keepsAlive: false,
      onWelcome: () => welcome(),
      onRefused: (error) => refuse(error),
    });
  }

  /** True while the code of an attempt runs, or its result is on the way. Code that waits for runs does not count. */
  get busy(): boolean {
    for (const attempt of this.#supervisor.held) if (!attempt.openWaits?.size) return true;
    return false;
  }

  /** Connects, and works from then on. */
  start(): void {
    this.#supervisor.start();
  }

  /** Gives back what it has not finished, and leaves. */
  async close(): Promise<void> {
    await this.#supervisor.drain("the worker is closed", 0);
  }
}
