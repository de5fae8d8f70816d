import type { Logger, Owner } from "@runlane/platform";
import type { NotifyRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { Run, RunResult } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { EarlyResults } from "./early-results.js";
import { limits } from "./limits.js";
import { logPosition } from "./log-position.js";
import { OpenRuns } from "./open-runs.js";
import type { OwnerClient } from "./owner-client.js";

/** Somebody who awaits the results of runs. */
export interface ResultListener {
  readonly environment: string;
  /** Takes a result. False: there is no room for it now; the run stays open. */
  take(result: RunResult): boolean;
  /** The run does not exist. */
  unknown(runId: string): void;
}

/** Somebody who wants every change of a run. */
export interface ChangeListener {
  readonly environment: string;
  /** The run as it stands, changed or not. */
  changed(run: Run): void;
  /** The run does not exist. */
  unknown(runId: string): void;
}

/** Old runs that one sweep asks for at most, so that a million open runs cost the owner no more than two thousand look-ups a second. */
const sweepLimit = 10_000;
/** WatchRuns calls under way at once when everything is registered again. */
const parallelCalls = 8;

/**
 * What this scheduler's clients want to hear of, and its registration with the owner.
 *
 * The owner's memory of it is volatile and its notifications are one way, so this side makes good every loss: all open runs are registered again when the
 * owner changes, and a slow sweep asks again for those that have been open for long. The owner answers finished runs at once.
 */
export class Subscriptions {
  readonly #owner: OwnerClient;
  readonly #subscriber: string;
  readonly #logger: Logger;
  readonly #results = new OpenRuns<ResultListener>();
  readonly #changes = new OpenRuns<ChangeListener>();
  readonly #early = new EarlyResults();
  readonly #stopWatching: () => void;
  #epoch: bigint | undefined;
  #logSequence = 0n;
  #sweeping = false;
  #closed = false;

  /** @param subscriber address at which this scheduler serves SubscriberService */
  constructor(owner: OwnerClient, subscriber: string, logger: Logger) {
    this.#owner = owner;
    this.#subscriber = subscriber;
    this.#logger = logger;
    this.#stopWatching = owner.watch((current) => this.#ownerChanged(current));
  }

  /** Runs whose results or changes are awaited. */
  get size(): number {
    return this.#results.size + this.#changes.size;
  }

  /** A call that registers interest with the owner is under way: results may come before its answer, and are kept until {@link registrationEnded}. */
  registrationBegan(): void {
    this.#early.began();
  }

  /** The call is answered, and {@link awaitResult} was called for its runs; or it failed. */
  registrationEnded(): void {
    this.#early.ended();
  }

  /** Awaits the result of a run, of which the owner knows that it is awaited here. False if the listener awaits it already. */
  awaitResult(runId: string, listener: ResultListener): boolean {
    const early = this.#early.find(runId);
    if (early !== undefined && listener.take(early)) return true;
    return this.#results.add(runId, listener);
  }

  /** Awaits the result of a run, of which the owner does not know that it is awaited here: {@link ask} for it. False if the listener awaits it already. */
  addResult(runId: string, listener: ResultListener): boolean {
    return this.#results.add(runId, listener);
  }

  /**
   * Asks the owner for the results of runs that a listener awaits; it tells those that it has, and later the others. Resolves when the owner knows, or could not be
   * told: then the sweep will.
   */
  async ask(runIds: readonly string[], listener: ResultListener): Promise<void> {
    const awaited = runIds.filter((runId) => this.#results.has(runId, listener));
    await Promise.all([...inPages(awaited)].map((results) => this.#watchRuns(listener.environment, { results })));
  }

  /** Awaits every change of a run, and asks the owner for its present state. */
  watchChanges(runId: string, listener: ChangeListener): void {
    this.#changes.add(runId, listener);
    void this.#watchRuns(listener.environment, { changes: [runId] });
  }

  /** Gives up runs. Returns how many were awaited by the listener. */
  unwatchResults(runIds: readonly string[], listener: ResultListener): number {
    const held = runIds.filter((runId) => this.#results.has(runId, listener));
    const unwanted = held.filter((runId) => this.#results.remove(runId, listener));
    this.discard(listener.environment, unwanted);
    return held.length;
  }

  /** Gives up the changes of a run. */
  unwatchChanges(runId: string, listener: ChangeListener): void {
    if (this.#changes.remove(runId, listener)) this.discard(listener.environment, [runId]);
  }

  /** Gives up all results that a listener awaits. */
  unwatchAll(listener: ResultListener): void {
    this.discard(listener.environment, this.#results.removeAll(listener));
  }

  /** Tells the owner of runs that nobody here wants to hear of, unless somebody does. */
  discard(environment: string, runIds: readonly string[]): void {
    const unwatch = runIds.filter((runId) => this.#results.get(runId) === undefined && this.#changes.get(runId) === undefined);
    for (const page of inPages(unwatch)) void this.#watchRuns(environment, { unwatch: page });
  }

  /** Where the log holds everything that has been told here. */
  get logPosition(): string {
    return logPosition(this.#logSequence);
  }

  /** Word from an owner. Results are facts, whoever tells them; changes of an owner that has been replaced may be older than what is known. */
  notify({ epoch, results, changes, logSequence }: NotifyRequest): void {
    if (logSequence > this.#logSequence) this.#logSequence = logSequence;
    for (const result of results) {
      const listeners = this.#results.get(result.runId);
      if (listeners === undefined) this.#early.keep(result);
      else if (Array.isArray(listeners)) {
        for (const listener of [...listeners]) if (listener.take(result)) this.#results.remove(result.runId, listener);
      } else if (listeners.take(result)) this.#results.delete(result.runId);
    }
    if (this.#epoch !== undefined && epoch < this.#epoch) return;
    for (const run of changes) for (const listener of this.#changes.all(run.id)) listener.changed(run);
  }

  /** Lets a period pass, and asks again for runs that have been open for at least one: call it every few seconds. */
  async sweep(): Promise<void> {
    this.#early.age();
    const results = this.#results.nextOld(sweepLimit);
    const changes = this.#changes.nextOld(sweepLimit);
    this.#results.age();
    this.#changes.age();
    if (this.#sweeping || this.#epoch === undefined) return;
    this.#sweeping = true;
    await this.#register(results, changes);
    this.#sweeping = false;
  }

  /** Stops. Listeners hear nothing more. */
  close(): void {
    this.#closed = true;
    this.#stopWatching();
  }

  #ownerChanged(owner: Owner | undefined): void {
    const known = this.#epoch;
    this.#epoch = owner?.epoch ?? known;
    if (owner === undefined || owner.epoch === known || this.size === 0) return;
    this.#logger.info({ epoch: String(owner.epoch), runs: this.size }, "the owner has changed: registering open runs again");
    void this.#register(this.#results.ids(), this.#changes.ids(), owner.epoch);
  }

  /** Asks for runs of any environments, page by page; gives up when there is a newer owner than `epoch`, whose coming started another round. */
  async #register(results: string[], changes: string[], epoch = this.#epoch): Promise<void> {
    const pages: (() => Promise<void>)[] = [];
    for (const [environment, runIds] of byEnvironment(results, this.#results)) {
      for (const page of inPages(runIds)) pages.push(() => this.#watchRuns(environment, { results: page }));
    }
    for (const [environment, runIds] of byEnvironment(changes, this.#changes)) {
      for (const page of inPages(runIds)) pages.push(() => this.#watchRuns(environment, { changes: page }));
    }
    while (pages.length > 0 && this.#epoch === epoch && !this.#closed) {
      await Promise.all(pages.splice(0, parallelCalls).map((ask) => ask()));
    }
  }

  /** Never fails: what did not reach the owner stays open, and is asked again by the sweep or at the next change of owner. */
  async #watchRuns(environment: string, wanted: Wanted): Promise<void> {
    if (this.#closed) return;
    const request = {
      environment,
      subscriber: this.#subscriber,
      results: [...(wanted.results ?? [])],
      changes: [...(wanted.changes ?? [])],
      unwatch: [...(wanted.unwatch ?? [])],
    };
    try {
      const { unknownRunIds } = await this.#owner.call((owner, options) => owner.watchRuns(request, options));
      for (const runId of unknownRunIds) this.#unknown(runId, environment);
    } catch (error) {
      this.#logger.warn({ err: error, runs: request.results.length + request.changes.length + request.unwatch.length }, "runs could not be watched");
    }
  }

  #unknown(runId: string, environment: string): void {
    for (const listener of this.#results.all(runId)) {
      if (listener.environment !== environment) continue;
      this.#results.remove(runId, listener);
      listener.unknown(runId);
    }
    for (const listener of this.#changes.all(runId)) {
      if (listener.environment !== environment) continue;
      this.#changes.remove(runId, listener);
      listener.unknown(runId);
    }
  }
}

/** What one WatchRuns call is about. */
interface Wanted {
  results?: readonly string[];
  changes?: readonly string[];
  unwatch?: readonly string[];
}

function* inPages(runIds: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < runIds.length; start += limits.watchedRuns) yield runIds.slice(start, start + limits.watchedRuns);
}

function byEnvironment<L extends { environment: string }>(runIds: string[], open: OpenRuns<L>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const runId of runIds) {
    for (const { environment } of open.all(runId)) {
      const group = groups.get(environment);
      if (group === undefined) groups.set(environment, [runId]);
      else if (group.at(-1) !== runId) group.push(runId);
    }
  }
  return groups;
}
