import { setTimeout as sleep } from "node:timers/promises";
import type { CallOptions, Client, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { errorOf, type InternalTransport, type Owner, type OwnerDirectory, reasonOf, refusal, statusOf } from "@runlane/platform";
import { HistoryService } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";

/** Milliseconds that a call may take, take-over of the partition included, unless its caller has less. */
const ownerTimeoutMs = 5_000;

/** Milliseconds until an owner that answered NOT_OWNER is asked again, if the directory names no other: it may have its claim back. */
const firstPauseMs = 20;
const longestPauseMs = 400;

/** Longest time that a call may ask for. */
const longestTimeoutMs = 30_000;

/** What limits a call to the owner. */
export interface OwnerCallLimits {
  /** Milliseconds from now until the call fails. Default and most: {@link ownerTimeoutMs}. */
  timeoutMs?: number;
  /** Ends the call early. */
  signal?: AbortSignal;
}

/** What limits a call for the sake of another: its time, and its end. */
export function callLimits(context: HandlerContext): OwnerCallLimits {
  return { timeoutMs: context.timeoutMs(), signal: context.signal };
}

/** One call of HistoryService; see {@link OwnerCall}. */
export type HistoryCall<T> = (history: Client<typeof HistoryService>, options: CallOptions) => Promise<T>;

/** One call of OwnerService: `(owner, options) => owner.readRun(request, options)`. Called again after a change of owner. */
export type OwnerCall<T> = (owner: Client<typeof OwnerService>, options: CallOptions) => Promise<T>;

/**
 * Calls whoever owns the partition.
 *
 * A call that met nobody, or somebody who does not own the partition (any more), has changed nothing: the owner is looked up again and the call repeated, until
 * its time is over. So a take-over looks like a slow answer.
 */
export class OwnerClient {
  readonly #transport: InternalTransport;
  readonly #directory: OwnerDirectory;
  readonly #partition: number;
  #client: { address: string; client: Client<typeof OwnerService> } | undefined;
  #history: { address: string; client: Client<typeof HistoryService> } | undefined;

  constructor(transport: InternalTransport, directory: OwnerDirectory, partition: number) {
    this.#transport = transport;
    this.#directory = directory;
    this.#partition = partition;
  }

  /** The owner as far as is known now. */
  current(): Owner | undefined {
    return this.#directory.current(this.#partition);
  }

  /** Calls `listener` at every change of owner, and once at the start if there is one. Returns how to stop it. */
  watch(listener: (owner: Owner | undefined) => void): () => void {
    return this.#directory.watch(this.#partition, listener);
  }

  /**
   * Makes a call.
   *
   * @throws ConnectError UNAVAILABLE with reason NO_OWNER and RetryInfo if no owner answered in time; CANCELED if `signal` was aborted; what the owner answered.
   */
  call<T>(invoke: OwnerCall<T>, limits: OwnerCallLimits = {}): Promise<T> {
    const timeoutMs = Math.min(limits.timeoutMs ?? ownerTimeoutMs, ownerTimeoutMs);
    return this.#call((owner, options) => invoke(this.#clientOf(owner), options), { ...limits, timeoutMs });
  }

  /** Makes a call to the history beside the owner. As {@link call}, except that it may be given up to 30 s. */
  callHistory<T>(invoke: HistoryCall<T>, limits: OwnerCallLimits = {}): Promise<T> {
    const timeoutMs = Math.min(limits.timeoutMs ?? ownerTimeoutMs, longestTimeoutMs);
    return this.#call((owner, options) => invoke(this.#historyOf(owner), options), { ...limits, timeoutMs });
  }

  async #call<T>(invoke: (owner: Owner, options: CallOptions) => Promise<T>, limits: OwnerCallLimits & { timeoutMs: number }): Promise<T> {
    const { signal } = limits;
    const deadline = performance.now() + limits.timeoutMs;
    let left = deadline - performance.now();
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const owner = this.current();
      if (owner !== undefined && left > 0) {
        try {
          return await invoke(owner, { timeoutMs: Math.ceil(left), signal });
        } catch (error) {
          if (signal?.aborted) throw canceled(error);
          const verdict = judge(error);
          if (verdict !== "again") throw verdict;
        }
      }
      left = deadline - performance.now();
      if (left <= 0) throw refusal("NO_OWNER", "nobody owns the partition at present");
      await this.#change(owner, Math.min(left, owner === undefined ? left : pauseMs), signal);
      left = deadline - performance.now();
    }
  }

  #clientOf({ address }: Owner): Client<typeof OwnerService> {
    if (this.#client?.address !== address) {
      this.#client = { address, client: createClient(OwnerService, this.#transport.to(address)) };
    }
    return this.#client.client;
  }

  #historyOf({ epoch }: Owner): Client<typeof HistoryService> {
    const address = `history.${this.#partition}.${epoch}`;
    if (this.#history?.address !== address) this.#history = { address, client: createClient(HistoryService, this.#transport.to(address)) };
    return this.#history.client;
  }

  /** Waits until the owner is another than `known`, at most `ms`. */
  async #change(known: Owner | undefined, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const over = new AbortController();
    const stopWatching = this.watch((owner) => {
      if (owner !== undefined && owner.epoch !== known?.epoch) over.abort();
    });
    try {
      await sleep(ms, undefined, { signal: signal ? AbortSignal.any([signal, over.signal]) : over.signal });
    } catch (error) {
      if (signal?.aborted) throw canceled(error);
    } finally {
      stopWatching();
    }
  }
}

/**
 * What to make of a failed call: "again", or the error for the caller. A fresh one, because ConnectErrors from a transport carry that call's
 * headers, which must not leave with another response.
 */
function judge(error: unknown): "again" | ConnectError {
  const reason = reasonOf(error);
  if (reason === "NOT_OWNER" || reason === "NO_SERVER") return "again";
  const failure = ConnectError.from(error, Code.Internal);
  // The owner is there and silent: it waits for the log. To the caller that is the same as no owner.
  if (failure.code === Code.DeadlineExceeded) return refusal("NO_OWNER", "the owner of the partition did not answer in time", { cause: error });
  return errorOf(statusOf(failure));
}

function canceled(cause: unknown): ConnectError {
  return new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, cause);
}
