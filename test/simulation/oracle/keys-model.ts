import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { BatchModel } from "./batch-model.js";
import type { RunModel } from "./run-model.js";

/** A run that ended so has given its key back. */
const tryAgain: ReadonlySet<RunState | undefined> = new Set([RunState.FAILED, RunState.CRASHED, RunState.SYSTEM_FAILURE, RunState.TIMED_OUT, RunState.EXPIRED]);

/** What has which key: for each idempotency key one run of a task, or one batch; for each debounce key the delayed run that collects triggers. */
export class KeysModel {
  readonly #runs = new Map<string, { readonly run: RunModel; readonly expireMs: number }>();
  readonly #batches = new Map<string, { readonly batch: BatchModel; readonly expireMs: number }>();
  readonly #collecting = new Map<string, RunModel>();

  /** The run that has an idempotency key; undefined if none has. */
  holder(taskId: string, key: string, nowMs: number): RunModel | undefined {
    const held = this.#runs.get(`${taskId}\n${key}`);
    return held && held.expireMs > nowMs && !tryAgain.has(held.run.final) ? held.run : undefined;
  }

  hold(run: RunModel, key: string, expireMs: number): void {
    this.#runs.set(`${run.taskId}\n${key}`, { run, expireMs });
  }

  end(taskId: string, key: string): void {
    this.#runs.delete(`${taskId}\n${key}`);
  }

  /** The batch that has an idempotency key; undefined if none has. */
  batchOf(key: string, nowMs: number): BatchModel | undefined {
    const held = this.#batches.get(key);
    return held && held.expireMs > nowMs && held.batch.state !== "aborted" ? held.batch : undefined;
  }

  holdBatch(batch: BatchModel, expireMs: number): void {
    this.#batches.set(batch.key, { batch, expireMs });
  }

  /** A batch is known no longer. */
  forgetBatch(batch: BatchModel): void {
    if (this.#batches.get(batch.key)?.batch === batch) this.#batches.delete(batch.key);
  }

  /** The run that collects triggers with a debounce key; undefined if none does. */
  collecting(taskId: string, key: string, nowMs: number): RunModel | undefined {
    const run = this.#collecting.get(`${taskId}\n${key}`);
    return run?.place === "delayed" && run.queueMs > nowMs ? run : undefined;
  }

  collect(run: RunModel, key: string): void {
    this.#collecting.set(`${run.taskId}\n${key}`, run);
  }
}
