import { describeMemory } from "../machine/machine-preset.js";
import { outOfMemoryFailure } from "./exit-failure.js";
import { internalFailure } from "./failure.js";
import { type MeasureMemory, measureMemory } from "./process-memory.js";
import type { RunnerProcess } from "./runner-process.js";

/** How long an event loop may be blocked if nobody says otherwise, in seconds. As in Trigger.dev. */
const defaultStallSeconds = 300;
/** Time from one round to the next, in milliseconds. A shorter stall limit makes it shorter. */
const longestRoundMs = 1_000;
/** A runner is asked for a sign of life in every third round. */
const roundsPerPing = 3;
/** What a process may have beyond its machine's memory before it is ended, as a part of it: a measure from outside is not exact. */
const memoryTolerance = 0.1;

/**
 * Looks after the runner processes that have attempts: asks each whether its event loop turns, ends those that do not answer for too long, and those that have more memory than their
 * machine. Rests when no runner has an attempt.
 */
export class RunnerRounds {
  readonly #runners: Iterable<RunnerProcess>;
  readonly #stallSeconds: number;
  readonly #roundMs: number;
  readonly #measure: MeasureMemory;
  #timer: NodeJS.Timeout | undefined;
  #round = 0;

  constructor(runners: Iterable<RunnerProcess>, stallSeconds: number = defaultStallSeconds, measure: MeasureMemory = measureMemory) {
    this.#runners = runners;
    this.#stallSeconds = stallSeconds;
    this.#roundMs = Math.min(longestRoundMs, Math.ceil((stallSeconds * 1_000) / 4));
    this.#measure = measure;
  }

  /** A runner has something to do. */
  wake(): void {
    this.#timer ??= setInterval(() => void this.#make(), this.#roundMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #make(): Promise<void> {
    this.#round += 1;
    const limited: RunnerProcess[] = [];
    let busy = false;
    for (const runner of this.#runners) {
      if (runner.attempts.size === 0) continue;
      busy = true;
      this.#checkLife(runner);
      if (runner.preset !== undefined && runner.pid !== undefined) limited.push(runner);
    }
    if (!busy) this.stop();
    if (limited.length > 0) await this.#checkMemory(limited);
  }

  #checkLife(runner: RunnerProcess): void {
    if (runner.pinged) {
      // Counted in rounds, not by the clock: while this process itself stood still, nobody could answer it.
      runner.silentRounds += 1;
      if (runner.silentRounds * this.#roundMs >= this.#stallSeconds * 1_000) runner.kill(stalledFailure(this.#stallSeconds));
    } else if (this.#round % roundsPerPing === 0 && runner.wasReady) runner.ping();
  }

  async #checkMemory(runners: readonly RunnerProcess[]): Promise<void> {
    const sizes = await this.#measure(runners.map((runner) => runner.pid!));
    for (const runner of runners) {
      const size = sizes.get(runner.pid!) ?? 0;
      const limit = runner.preset!.memoryMib;
      if (size <= limit * (1 + memoryTolerance)) continue;
      runner.kill(outOfMemoryFailure(`the attempt's process had ${describeMemory(Math.round(size))}, and was ended`, runner.preset));
    }
  }
}

function stalledFailure(seconds: number) {
  const what = `the event loop of the attempt's process did not turn for ${seconds} s, so it was ended`;
  return internalFailure("TASK_RUN_STALLED_EXECUTING", `${what}. Long computations should say \`await heartbeats.yield()\` now and then.`);
}
