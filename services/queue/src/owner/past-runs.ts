import { type Logger, refusal } from "@runlane/platform";
import type { Run, RunResult } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { sendResume } from "../engine/effects.js";
import type { Environment } from "../engine/environment.js";
import type { Lookup } from "../engine/outbox.js";
import { runIdOf } from "../engine/run-id.js";
import { runResultBytes } from "../engine/view.js";
import type { History } from "../history/history.js";
import type { Clock } from "./clock.js";
import type { GroupCommit } from "./group-commit.js";
import { lostResult, resultOfPast } from "./interest.js";

/** How long history that cannot answer is left alone, in milliseconds. */
const retryMs = 500;

/** What reading past runs stands on. */
export interface PastRunsOptions {
  readonly history: History | undefined;
  readonly commit: GroupCommit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The epoch is over. */
  readonly stopped: () => boolean;
}

/** Runs that memory has forgotten, and whoever still wants to know how they ended: a key may find a run for as long as a year. */
export class PastRuns {
  readonly #options: PastRunsOptions;

  constructor(options: PastRunsOptions) {
    this.#options = options;
  }

  /** A run; undefined if there is none. @throws ConnectError UNAVAILABLE while history cannot tell */
  async run(environment: string, runId: string): Promise<Run | undefined> {
    const { history, commit } = this.#options;
    if (!history) throw refusal("HISTORY_REBUILDING", `run ${runId} ended long ago, and there is no history to read it from`);
    return await history.read(environment, runId, commit.sequence);
  }

  /** Tells a subscriber how runs ended. */
  async tell(environment: Environment, subscriber: string, numbers: readonly number[]): Promise<void> {
    const { commit, stopped } = this.#options;
    const results = await this.#results(environment, numbers, stopped);
    if (!results || stopped()) return;
    commit.decide(0, (step) => {
      for (const result of results.values()) step.outbox.notice(subscriber, runResultBytes(result)).results.push(result);
    });
  }

  /** Brings a wait what memory has forgotten of its results. */
  async bring({ run, attempt, waitId, numbers }: Lookup): Promise<void> {
    const { commit, stopped } = this.#options;
    const isOver = () => stopped() || run.attempt !== attempt || !run.waits?.has(waitId);
    const results = await this.#results(run.environment, numbers, isOver);
    if (results && !isOver()) commit.decide(0, (step) => sendResume(step, run, waitId, results));
  }

  /** How runs ended, as soon as history can tell. Undefined if nobody wants to know any more. */
  async #results(environment: Environment, numbers: readonly number[], isOver: () => boolean): Promise<Map<number, RunResult> | undefined> {
    const results = new Map<number, RunResult>();
    for (const number of numbers) {
      const id = runIdOf(environment, number);
      while (!results.has(number)) {
        const run = await this.#tried(environment.name, id);
        if (run !== "later") results.set(number, run ? resultOfPast(run) : lostResult(id));
        if (isOver()) return undefined;
      }
    }
    return results;
  }

  async #tried(environment: string, runId: string): Promise<Run | undefined | "later"> {
    const { history, clock, logger } = this.#options;
    // Without a history nobody will ever know.
    if (!history) return undefined;
    try {
      return await this.run(environment, runId);
    } catch (error) {
      logger.debug({ err: error, run: runId }, "a result could not be read from history so far");
      await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      return "later";
    }
  }
}
