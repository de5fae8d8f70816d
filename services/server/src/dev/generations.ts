import { dirname } from "node:path";
import type { AttemptReport, LaunchedWorker } from "@runlane/sdk/worker";
import type { WorkerBuild } from "../worker-build/index.js";

/** Workers of older versions that may finish what they have begun, at most. Each is a supervisor and its runners. */
export const mostOldGenerations = 3;
/** How long attempts may go on when everything stops, in milliseconds. Then they are given back undone. */
const graceMs = 1_000;
/** How long a worker may take to leave after that, in milliseconds. */
const leaveMs = 4_000;

/** What a launched worker tells. */
export interface WorkerHooks {
  onConnected(session: { environment: string; version: string }): void;
  onAttempt(report: AttemptReport): void;
}

/** How generations are set up. */
export interface GenerationsOptions {
  launch(build: WorkerBuild, hooks: WorkerHooks): LaunchedWorker;
  /** A version takes all new runs from now on. */
  onVersion(version: string, build: WorkerBuild): void;
  /** An attempt has started or ended. `isOld` says that its version takes no new runs any more. */
  onAttempt(report: AttemptReport, version: string, isOld: boolean): void;
  /** There are too many old versions: this one gives back the attempts that it has. */
  onGivenUp(version: string, attempts: number): void;
  /** The server does not take the worker, and there is no other; it has said why on stderr. */
  onRefused(): void;
}

/** A build and the worker that runs it. */
interface Generation {
  readonly build: WorkerBuild;
  readonly worker: LaunchedWorker;
  /** As the server numbers it; empty until it has taken the worker. */
  version: string;
  /** Attempts that it executes. */
  attempts: number;
}

/**
 * The workers of a project that is being developed, one for each version of its code.
 *
 * A new build gets a worker of its own. As soon as the server has taken that, the worker before declines whatever it is offered, and leaves when its last attempt has ended: so new runs
 * get new code, and old ones finish with the code that they began with. Of older workers {@link mostOldGenerations} may stay; beyond that the oldest gives back what it has.
 */
export class Generations {
  readonly #options: GenerationsOptions;
  /** Started, and not taken by the server so far. */
  #next: Generation | undefined;
  #current: Generation | undefined;
  /** They finish what they have; the oldest first. */
  #old: Generation[] = [];
  /** Every worker that has not ended. */
  readonly #alive = new Set<Generation>();
  #stopping = false;

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  /** The version that takes new runs; undefined if there is none so far. */
  get version(): string | undefined {
    return this.#current?.version;
  }

  /** Folders of the builds that are run by some worker. */
  get folders(): ReadonlySet<string> {
    return new Set([...this.#alive].map(({ build }) => dirname(build.manifestFile)));
  }

  /** Starts the worker of a build, unless it is the present one already. One that is just starting on another build is of no use any more. */
  use(build: WorkerBuild): void {
    const { manifestFile } = build;
    if (this.#stopping || this.#next?.build.manifestFile === manifestFile) return;
    if (this.#next) end(this.#next);
    this.#next = undefined;
    if (this.#current?.build.manifestFile === manifestFile) return;
    const worker = this.#options.launch(build, {
      onConnected: ({ version }) => void this.#connected(generation, version),
      onAttempt: (report) => this.#report(generation, report),
    });
    const generation: Generation = { build, worker, version: "", attempts: 0 };
    this.#next = generation;
    this.#alive.add(generation);
    void worker.exited.then((code) => this.#ended(generation, code));
  }

  /** Ends all workers; what they execute is given back, and starts again when there is a worker. Resolves when no process is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      [...this.#alive].map(async ({ worker }) => {
        void worker.drain(graceMs);
        const timer = setTimeout(() => worker.stop(), graceMs + leaveMs);
        await worker.exited;
        clearTimeout(timer);
      }),
    );
  }

  async #connected(generation: Generation, version: string): Promise<void> {
    generation.version = version;
    // It may have come back after a broken connection, or too late.
    if (this.#next !== generation) return;
    const before = this.#current;
    this.#current = generation;
    this.#next = undefined;
    if (before) {
      this.#old.push(before);
      await before.worker.drain();
      this.#bound();
    }
    if (this.#current === generation && !this.#stopping) this.#options.onVersion(version, generation.build);
  }

  #bound(): void {
    while (this.#old.length > mostOldGenerations) {
      const oldest = this.#old.shift()!;
      this.#options.onGivenUp(oldest.version, oldest.attempts);
      void oldest.worker.drain(0);
      const timer = setTimeout(() => oldest.worker.stop(), leaveMs);
      void oldest.worker.exited.then(() => clearTimeout(timer));
    }
  }

  #report(generation: Generation, report: AttemptReport): void {
    generation.attempts += report.event === "started" ? 1 : -1;
    this.#options.onAttempt(report, generation.version, generation !== this.#current);
  }

  #ended(generation: Generation, code: number): void {
    this.#alive.delete(generation);
    this.#old = this.#old.filter((old) => old !== generation);
    if (this.#next === generation) this.#next = undefined;
    if (this.#current === generation) this.#current = undefined;
    if (code !== 0 && !this.#stopping && this.#current === undefined && this.#next === undefined) this.#options.onRefused();
  }
}

/** Ends a worker that has done nothing so far, at once. */
function end({ worker }: Generation): void {
  worker.stop();
  worker.stop();
}
