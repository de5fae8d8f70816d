import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Owner, reasonOf, refuseFaults, type Violation } from "@runlane/platform";
import type { AwaitChangesRequest, AwaitChangesResponse } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import type { RunWatch as WatchedRuns, WatchRequest, WatchResponse } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { limits } from "./limits.js";
import { logSequence } from "./log-position.js";
import type { OwnerClient } from "./owner-client.js";
import { filterFaults } from "./run-filter-fault.js";
import { looksLikeRunId } from "./validation.js";

/** A stream says something at least this often. */
const keepAliveMs = 15_000;
/** More than a call waits for changes, so that only an owner that is away lets it fail. */
const graceMs = 5_000;
const pauseMs = { first: 50, most: 1_000 } as const;

/**
 * One stream of Watch. Asks history for changes, one call at a time, so that a slow client holds no memory: what changed meanwhile comes as one. When the owner changes, and history with it,
 * it goes on from the last cursor.
 */
export class RunWatch {
  readonly #owner: OwnerClient;
  readonly #environment: string;
  readonly #watches: WatchedRuns[];
  readonly #logSequence: bigint;
  readonly #stream = randomUUID();
  #cursor: string;
  #open = false;
  #told = false;

  /** @throws ConnectError INVALID_ARGUMENT if the request breaks a rule */
  constructor(owner: OwnerClient, environment: string, request: WatchRequest) {
    refuseFaults(faultsOf(request).slice(0, 10));
    this.#owner = owner;
    this.#environment = environment;
    this.#watches = request.watches;
    this.#logSequence = logSequence(request.logPosition);
    this.#cursor = request.cursor;
  }

  /** Yields what there is to tell until `signal` is aborted. @throws ConnectError what history refused with, or UNAVAILABLE if it could not be reached in the beginning. */
  async *responses(signal: AbortSignal): AsyncGenerator<WatchResponse, void, undefined> {
    let pause: number = pauseMs.first;
    let spoke = performance.now();
    try {
      while (!signal.aborted) {
        try {
          const { cursor, changes, unknownRunIds } = await this.#ask(signal);
          pause = pauseMs.first;
          this.#open = true;
          this.#told = true;
          this.#cursor = cursor;
          spoke = performance.now();
          yield { $typeName: "runlane.v1.WatchResponse", cursor, changes, unknownRunIds };
        } catch (error) {
          if (signal.aborted) return;
          const verdict = this.#judge(error);
          this.#open = false;
          if (verdict === "again") continue;
          await sleep(pause, undefined, { signal }).catch(() => {});
          pause = Math.min(2 * pause, pauseMs.most);
          if (performance.now() - spoke < keepAliveMs) continue;
          spoke = performance.now();
          yield { $typeName: "runlane.v1.WatchResponse", cursor: this.#cursor, changes: [], unknownRunIds: [] };
        }
      }
    } finally {
      if (this.#open) void this.#call({ close: true }, {}).catch(() => {});
    }
  }

  /** Asks for changes; ends early when there is another owner. */
  async #ask(signal: AbortSignal): Promise<AwaitChangesResponse> {
    const moved = new AbortController();
    const before = this.#owner.current()?.epoch;
    const stopWatching = this.#owner.watch((owner: Owner | undefined) => {
      if (owner !== undefined && before !== undefined && owner.epoch !== before) moved.abort();
    });
    try {
      const open = this.#open ? {} : { open: { $typeName: "runlane.internal.v1.OpenWatch" as const, watches: this.#watches, logSequence: this.#logSequence } };
      // The first answer tells where the stream begins; a client may rely on what changes after it.
      const waitMs = this.#told ? keepAliveMs : 0;
      return await this.#call({ ...open, waitMs }, { timeoutMs: waitMs + graceMs, signal: AbortSignal.any([signal, moved.signal]) });
    } finally {
      stopWatching();
    }
  }

  #call(
    request: Partial<Pick<AwaitChangesRequest, "open" | "waitMs" | "close">>,
    callLimits: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<AwaitChangesResponse> {
    const asked = { environment: this.#environment, stream: this.#stream, cursor: this.#cursor, ...request };
    return this.#owner.callHistory((history, options) => history.awaitChanges(asked, options), callLimits);
  }

  /** What to do after a failure: ask again at once, or later. @throws ConnectError what the client must hear */
  #judge(error: unknown): "again" | "later" {
    const { code } = ConnectError.from(error);
    if (code === Code.Canceled || reasonOf(error) === "WATCH_UNKNOWN") return "again";
    if (code === Code.Unavailable && this.#told) return "later";
    throw error;
  }
}

function faultsOf({ watches }: WatchRequest): Violation[] {
  const violations: Violation[] = [];
  if (watches.length < 1 || watches.length > limits.watches) {
    violations.push({ field: "watches", description: `must have 1 to ${limits.watches} entries, has ${watches.length}` });
  }
  let runIds = 0;
  watches.forEach((watch, index) => {
    const field = `watches[${index}]`;
    runIds += watch.runIds.length;
    if (watch.filter ? watch.runIds.length > 0 : watch.runIds.length === 0) violations.push({ field, description: "must have either run_ids or a filter" });
    if (watch.filter) violations.push(...filterFaults(watch.filter, `${field}.filter`));
    if (!watch.runIds.every(looksLikeRunId)) violations.push({ field: `${field}.run_ids`, description: "must be ids of runs" });
  });
  if (runIds > limits.watchedRunIds) violations.push({ field: "watches", description: `must have at most ${limits.watchedRunIds} run ids, have ${runIds}` });
  return violations;
}
