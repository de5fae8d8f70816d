import { AsyncLocalStorage } from "node:async_hooks";
import type { Failure, Payload } from "#gen/runlane/v1/payload_pb.js";
import type { BatchOutcome, BatchPart, RunResult, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import type { WaitEnd } from "#gen/runlane/v1/worker_service_pb.js";
import type { JournalCall } from "../journal/journal-call.js";
import type { AttemptScope } from "./attempt-scope.js";
import type { RunUpdates } from "./run-updates.js";
import type { TaskRunContext } from "./task-run-context.js";

/** What a piece of code came to, as a journal keeps it. */
export type RecordOutcome =
  | { readonly case: "output"; readonly value: Payload }
  | { readonly case: "failure"; readonly value: Failure }
  /** It ended, with nothing to tell. */
  | { readonly case: undefined };

/** A wait for a time: for so many milliseconds, or until a time in milliseconds of the Unix epoch. `refusesPast`: one that has passed is an error. */
export type TimeWait = { readonly ms: number } | { readonly until: number; readonly refusesPast: boolean };

/**
 * What code inside a run can ask of the worker that executes it. Present only inside `run`; many attempts share a process, so it hangs on the asynchronous context, never
 * on a global variable.
 */
export interface RunRuntime {
  readonly ctx: TaskRunContext;
  readonly signal: AbortSignal;
  /** What the code leaves with its attempt: locals, hooks, promises to wait for. Made when it is first asked for. */
  readonly scope: AttemptScope;
  /** Triggers runs as children of this one. One outcome for each item; more than 500 items, or 512 KiB, are split by the runtime. */
  trigger(items: TriggerItem[]): Promise<TriggerOutcome[]>;
  /** Triggers one part of a batch: at most 500 items and 384 KiB. Rejects with a ConnectError if the part is refused as a whole. `batch` is undefined if the server is too old to know batches. */
  triggerBatch(items: TriggerItem[], part: BatchPart): Promise<{ outcomes: TriggerOutcome[]; batch: BatchOutcome | undefined }>;
  /**
   * Triggers runs as children of this one and waits for all of them, holding no slot meanwhile. `results` has one entry for each item, undefined where the outcome is an
   * error. Several may be under way at once. `batchId` is what hooks are told; undefined for a single run.
   */
  triggerAndWait(items: TriggerItem[], batchId?: string): Promise<{ outcomes: TriggerOutcome[]; results: (RunResult | undefined)[] }>;
  /** Waits for a time; a short wait sleeps in the process, and keeps the slot. */
  waitForTime(wait: TimeWait): Promise<void>;
  /** Waits for a token, holding no slot meanwhile. Rejects with a ConnectError if there is none. */
  waitForToken(tokenId: string): Promise<WaitEnd>;
  /**
   * Has a piece of code run, unless the journal says what it came to. The promise resolves when the journal has it. `run` gets an id for requests that it makes, which is the same if it is
   * called again after a worker was lost; empty in hooks that no journal covers.
   */
  record(call: JournalCall, run: (requestId: string) => Promise<RecordOutcome>): Promise<RecordOutcome>;
  /** Encodes a value that the run's code made; a large one is stored on the server first. Throws, or rejects with, a TransferFailure. */
  writeOutput(value: unknown): Payload | Promise<Payload>;
  /** Tags and metadata of the run. Made when they are first asked for. */
  readonly updates: RunUpdates;
  /** How long the attempt has waited for other runs so far, in milliseconds. */
  readonly waitedMs: number;
  /** How long the attempt has been active so far, in milliseconds: since its start, without its waits. */
  readonly activeMs: number;
  /** How long the run's earlier attempts were active together, as far as it is known, in milliseconds. */
  readonly earlierActiveMs: number;
  /** Takes a line that the run's `logger` wrote. `level` is one of debug, log, info, warn, error. */
  log(level: string, message: string, properties: Record<string, unknown> | undefined): void;
}

const key = Symbol.for("runlane.run-runtime.v1");

/** The asynchronous context that carries the runtime; one for all copies of the SDK in this process. */
export function runRuntimeStorage(): AsyncLocalStorage<RunRuntime> {
  const holder = globalThis as { [key]?: AsyncLocalStorage<RunRuntime> };
  holder[key] ??= new AsyncLocalStorage<RunRuntime>();
  return holder[key];
}

/** The runtime of the run that calls, or undefined outside a run. */
export function currentRunRuntime(): RunRuntime | undefined {
  return runRuntimeStorage().getStore();
}
