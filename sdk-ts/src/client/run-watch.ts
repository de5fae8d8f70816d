import { AsyncResource } from "node:async_hooks";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { Run } from "#gen/runlane/v1/run_pb.js";
import type { RunService, WatchResponse } from "#gen/runlane/v1/run_service_pb.js";
import { createBackoff } from "./backoff.js";
import { errorInfoOf, retryDelayOf } from "./grpc-error.js";
import { runNotFound } from "./run-not-found.js";

/** Hears of a run. */
export interface RunWatcher {
  /** The run as it stands: first at once, then whenever it has changed. Changes that follow each other quickly come as one. */
  changed(run: Run): void;
  /** It will hear nothing more: there is no such run, or the server is away for too long. */
  failed(error: unknown): void;
}

/** A run that somebody watches. */
interface WatchedRun {
  readonly watchers: Set<RunWatcher>;
  /** As it was told last; undefined: nothing was told so far. */
  latest: Run | undefined;
}

/** How long to try while the server is away, and if it never answered, in milliseconds. */
export interface RunWatchOptions {
  /** Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Default 10,000, and never more than `timeoutMs`. */
  readonly firstContactMs?: number | undefined;
}

const again = new Set([Code.Unavailable, Code.Canceled, Code.DeadlineExceeded, Code.Unknown, Code.Internal]);
// The stream outlives the code that subscribed first, and serves others: it must not belong to its asynchronous context.
const outside = new AsyncResource("runlane.RunWatch");

/**
 * Watches runs, all on one Watch stream, opened when somebody watches and ended when nobody does. When the set of runs changes, or the stream breaks, another is opened with the last
 * cursor, so that no change is missed.
 */
export class RunWatch {
  readonly #runs: Client<typeof RunService>;
  readonly #timeoutMs: number;
  readonly #firstContactMs: number;
  readonly #watched = new Map<string, WatchedRun>();
  #cursor = "";
  #stream: AbortController | undefined;
  #openDue = false;
  #contacted = false;
  #closed = false;

  constructor(runs: Client<typeof RunService>, { timeoutMs = 60_000, firstContactMs = 10_000 }: RunWatchOptions = {}) {
    this.#runs = runs;
    this.#timeoutMs = timeoutMs;
    this.#firstContactMs = Math.min(firstContactMs, timeoutMs);
  }

  /** Watches a run. Returns how to stop; the watcher then hears nothing more. */
  watch(runId: string, watcher: RunWatcher): () => void {
    let run = this.#watched.get(runId);
    if (!run) {
      run = { watchers: new Set(), latest: undefined };
      this.#watched.set(runId, run);
      this.#openSoon();
    }
    run.watchers.add(watcher);
    const { latest } = run;
    if (latest) queueMicrotask(() => run.watchers.has(watcher) && watcher.changed(latest));
    return () => {
      run.watchers.delete(watcher);
      if (run.watchers.size > 0 || this.#watched.get(runId) !== run) return;
      this.#watched.delete(runId);
      // Others go on; what the server tells of this run meanwhile finds nobody.
      if (this.#watched.size === 0) this.#rest();
    };
  }

  /** Ends the stream; everybody fails with CANCELED. */
  close(): void {
    this.#closed = true;
    this.#failAll(new ConnectError("the client was closed", Code.Canceled));
  }

  // Subscriptions of one turn share a stream.
  #openSoon(): void {
    if (this.#openDue) return;
    this.#openDue = true;
    setImmediate(() => {
      this.#openDue = false;
      if (this.#closed) this.close();
      else if (this.#watched.size > 0) outside.runInAsyncScope(() => void this.#follow());
    });
  }

  /** Keeps a stream open until another takes its place, or nobody watches any more. */
  async #follow(): Promise<void> {
    this.#stream?.abort();
    const controller = new AbortController();
    const { signal } = controller;
    this.#stream = controller;
    const backoff = createBackoff();
    let awaySince: number | undefined;
    while (!signal.aborted) {
      try {
        for await (const response of this.#runs.watch({ watches: this.#watches(), cursor: this.#cursor }, { signal })) {
          if (signal.aborted) return;
          this.#contacted = true;
          awaySince = undefined;
          backoff.reset();
          this.#take(response);
        }
      } catch (caught) {
        if (signal.aborted) return;
        const error = ConnectError.from(caught);
        awaySince ??= performance.now();
        this.#contacted ||= errorInfoOf(error) !== undefined;
        if (errorInfoOf(error)?.reason === "CURSOR_OUT_OF_RANGE" && this.#cursor !== "") {
          this.#startOver();
          continue;
        }
        if (!again.has(error.code) || performance.now() - awaySince > (this.#contacted ? this.#timeoutMs : this.#firstContactMs)) return this.#failAll(error);
        await pause(Math.max(backoff.next(), retryDelayOf(error) ?? 0), signal);
      }
    }
  }

  #watches() {
    const known: string[] = [];
    const fresh: string[] = [];
    for (const [runId, { latest }] of this.#watched) (latest ? known : fresh).push(runId);
    const watches = [];
    if (known.length > 0) watches.push({ id: 1, runIds: known });
    if (fresh.length > 0) watches.push({ id: 2, runIds: fresh, sendPresent: true });
    return watches;
  }

  #take({ cursor, changes, unknownRunIds }: WatchResponse): void {
    for (const { run } of changes) {
      const watched = run && this.#watched.get(run.id);
      if (!watched) continue;
      watched.latest = run;
      for (const watcher of [...watched.watchers]) watcher.changed(run);
    }
    for (const runId of unknownRunIds) this.#fail(runId, runNotFound(runId));
    if (cursor !== "") this.#cursor = cursor;
    if (this.#watched.size === 0) this.#rest();
  }

  /** The server has another log than it had: everything is told anew. */
  #startOver(): void {
    this.#cursor = "";
    for (const run of this.#watched.values()) run.latest = undefined;
  }

  #rest(): void {
    this.#stream?.abort();
    this.#stream = undefined;
    // What is watched next is told as it stands; an old cursor would only bring what nobody asked for.
    this.#cursor = "";
  }

  #fail(runId: string, error: unknown): void {
    const run = this.#watched.get(runId);
    this.#watched.delete(runId);
    for (const watcher of run?.watchers ?? []) watcher.failed(error);
  }

  #failAll(error: unknown): void {
    const runIds = [...this.#watched.keys()];
    this.#rest();
    for (const runId of runIds) this.#fail(runId, error);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
