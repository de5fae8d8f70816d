import type { RunResult } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/**
 * Results that came before the answer to the call that asked for them: a notification and an answer take different ways. Kept only while such calls
 * are under way, and for two periods at most, which is longer than a call lasts.
 */
export class EarlyResults {
  #young = new Map<string, RunResult>();
  #old = new Map<string, RunResult>();
  #calls = 0;

  /** A call begins. */
  began(): void {
    this.#calls++;
  }

  /** A call has ended, and what it asked for was looked up. */
  ended(): void {
    if (--this.#calls > 0) return;
    this.#young.clear();
    this.#old.clear();
  }

  /** Keeps a result that nobody awaits so far, if somebody may soon. */
  keep(result: RunResult): void {
    if (this.#calls > 0) this.#young.set(result.runId, result);
  }

  /** The result of a run, if it has come. */
  find(runId: string): RunResult | undefined {
    return this.#young.get(runId) ?? this.#old.get(runId);
  }

  /** Lets a period pass. */
  age(): void {
    this.#old.clear();
    [this.#young, this.#old] = [this.#old, this.#young];
  }
}
