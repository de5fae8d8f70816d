import type { AttemptCommand, HeldAttempt as HeldAttemptMessage } from "#gen/runlane/v1/worker_service_pb.js";
import { ChurningMap } from "../churning-map.js";
import { keyToken, TokenDigest, type TokenKey } from "./token-key.js";

/**
 * Where a held attempt stands.
 *
 * - `running`: its code runs, or waits.
 * - `canceling`: its code was told to stop, and has not ended so far.
 * - `overdue`: it was active for longer than it may; its code was told to stop, and has not ended so far.
 * - `reported`: its result waits for a receipt.
 * - `canceled`: its code has ended after a cancel; the confirmation waits for a receipt.
 */
export type HeldState = "running" | "canceling" | "overdue" | "reported" | "canceled";

/** An attempt that this worker holds: accepted, and without a receipt. What it must say again after a broken stream hangs on it. */
export class HeldAttempt {
  readonly key: TokenKey;
  state: HeldState = "running";
  /** The AttemptResult, encoded. Set in state `reported`. */
  result: Uint8Array | undefined;
  /** Commands without an answer, by number. */
  commands: Map<number, AttemptCommand> | undefined;
  /** Waits that the code has begun and that were not answered. */
  openWaits: Set<number> | undefined;
  /** It starts anew if it loses this worker, so that it is never asked to leave. */
  restarts = false;

  constructor(key: TokenKey) {
    this.key = key;
  }

  /** The code of this attempt may still run. */
  get live(): boolean {
    return this.state === "running" || this.state === "canceling" || this.state === "overdue";
  }
}

/** All attempts that a worker holds, with the digest that a heartbeat tells. */
export class HeldAttempts {
  readonly #attempts = new ChurningMap<HeldAttempt>();
  readonly #digest = new TokenDigest();

  get count(): number {
    return this.#attempts.size;
  }

  /** Those whose code may still run. */
  get liveCount(): number {
    let count = 0;
    for (const { live } of this) if (live) count += 1;
    return count;
  }

  get digest(): bigint {
    return this.#digest.value;
  }

  get(key: TokenKey): HeldAttempt | undefined {
    return this.#attempts.get(key);
  }

  /** Holds an attempt; undefined if it is held already. */
  add(key: TokenKey): HeldAttempt | undefined {
    if (this.#attempts.has(key)) return undefined;
    const attempt = new HeldAttempt(key);
    this.#attempts.set(key, attempt);
    this.#digest.toggle(key);
    return attempt;
  }

  /** Holds an attempt no longer; undefined if it was not held. */
  remove(key: TokenKey): HeldAttempt | undefined {
    const attempt = this.#attempts.take(key);
    if (attempt !== undefined) this.#digest.toggle(key);
    return attempt;
  }

  [Symbol.iterator](): IterableIterator<HeldAttempt> {
    return this.#attempts.values();
  }

  /** The list, as Hello and HeldList have it. */
  list(): HeldAttemptMessage[] {
    return Array.from(this, (attempt) => ({
      $typeName: "runlane.v1.HeldAttempt" as const,
      token: keyToken(attempt.key),
      openWaits: attempt.openWaits === undefined ? [] : [...attempt.openWaits],
    }));
  }
}
