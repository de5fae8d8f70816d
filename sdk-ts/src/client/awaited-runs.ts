import type { RunResult } from "#gen/runlane/v1/run_pb.js";
import { ChurningMap } from "../churning-map.js";
import type { TriggerWaiter } from "./trigger-frame.js";

/** Runs whose results are awaited. Mostly by one waiter each, so that most entries are no lists. */
export class AwaitedRuns {
  readonly #waiters = new ChurningMap<TriggerWaiter | TriggerWaiter[]>();

  /** Number of runs. */
  get size(): number {
    return this.#waiters.size;
  }

  /** The runs, longest awaited first. */
  ids(): string[] {
    return [...this.#waiters.keys()];
  }

  add(runId: string, waiter: TriggerWaiter): void {
    const waiters = this.#waiters.get(runId);
    this.#waiters.set(runId, waiters === undefined ? waiter : [...listOf(waiters), waiter]);
  }

  /** Forgets a waiter. True if nobody awaits the run any more. */
  remove(runId: string, waiter: TriggerWaiter): boolean {
    const waiters = listOf(this.#waiters.get(runId));
    if (!waiters.includes(waiter)) return false;
    const others = waiters.filter((other) => other !== waiter);
    if (others.length > 0) this.#waiters.set(runId, others);
    else this.#waiters.take(runId);
    return others.length === 0;
  }

  finish(result: RunResult): void {
    const waiters = this.#waiters.take(result.runId);
    if (Array.isArray(waiters)) for (const waiter of waiters) waiter.finished(result);
    else waiters?.finished(result);
  }

  fail(runId: string, error: unknown): void {
    for (const waiter of listOf(this.#waiters.take(runId))) waiter.failed(error);
  }
}

function listOf(waiters: TriggerWaiter | TriggerWaiter[] | undefined): TriggerWaiter[] {
  if (waiters === undefined) return [];
  return Array.isArray(waiters) ? waiters : [waiters];
}
