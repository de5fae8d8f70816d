import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { NatsLink } from "../nats/connection.js";
import { isPassing, unlessInterrupted } from "../nats/jetstream-api.js";
import { subjects } from "../nats/subjects.js";
import { NatsPartitionClaim } from "./nats-partition-claim.js";
import { ensureOwnerBucket, readClaim, writeClaim } from "./owner-bucket.js";
import { claimTimes, type PartitionClaim, type PartitionClaims } from "./partition-claim.js";
import { Wake } from "./wake.js";

/** How claims in a NATS KV bucket are made. */
export interface NatsPartitionClaimsOptions {
  /** Connection of the user `queue`. Stays open. */
  readonly link: NatsLink;
  /** Hears of claims won, lapsed and taken. */
  readonly logger: Logger;
  /** How many servers keep the bucket. Default 1; 3 needs a cluster. */
  readonly replicas?: 1 | 3 | 5;
  /** How long a claim holds without renewal. Default 15,000 ms. The same for all nodes. */
  readonly lapseMs?: number;
  /** How often it is renewed. Default 5,000 ms. */
  readonly renewMs?: number;
}

const retryMs = 100;

/**
 * Claims in the NATS KV bucket `RUNLANE_OWNERS`.
 *
 * No clock is compared with another's. A holder writes its record again and again, each time a new revision, and counts the time from the sending of the last
 * write that was acknowledged. A candidate counts from the moment it first saw a revision: that is later than its sending, so the holder's claim has ended
 * before the candidate writes. All writes are conditional on the revision that the writer knows.
 */
export class NatsPartitionClaims implements PartitionClaims {
  readonly #options: Required<NatsPartitionClaimsOptions>;
  readonly #closed = new AbortController();
  readonly #claims = new Set<NatsPartitionClaim>();
  #bucketMade = false;

  constructor(options: NatsPartitionClaimsOptions) {
    this.#options = { replicas: 1, ...claimTimes, ...options };
  }

  async claim(partition: number, nodeId: string, options: { signal?: AbortSignal } = {}): Promise<PartitionClaim> {
    const { link, lapseMs, renewMs, logger } = this.#options;
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
    const lease = randomBytes(12).toString("base64url");
    const wake = new Wake(signal);
    // Any word about the partition is reason to look again: a release is not waited for.
    const subscription = link.connection.subscribe(subjects.owner(partition), { callback: () => wake.now() });
    let seen: { revision: number; at: number } | undefined;
    try {
      for (;;) {
        signal.throwIfAborted();
        if (link.connection.isClosed()) throw new Error("the connection to NATS is closed");
        try {
          await this.#makeBucket();
          const stored = await unlessInterrupted(link, readClaim(link.connection, partition), signal);
          const now = performance.now();
          if (stored?.revision !== seen?.revision) seen = stored && { revision: stored.revision, at: now };
          const leftMs = stored?.record && stored.record.node !== nodeId && seen ? seen.at + lapseMs - now : 0;
          if (leftMs > 0) {
            await wake.after(Math.min(leftMs, renewMs));
            continue;
          }
          const revision = await unlessInterrupted(link, writeClaim(link.connection, partition, { node: nodeId, lease }, stored?.revision ?? 0));
          if (revision === undefined) continue;
          const claim = this.#hold(new NatsPartitionClaim({ ...this.#options, partition, nodeId, lease, revision, since: now }));
          if (signal.aborted) await claim.release();
          signal.throwIfAborted();
          logger.info({ partition, nodeId, revision }, "partition claimed");
          return claim;
        } catch (error) {
          if (!isPassing(error)) throw error;
          await wake.after(retryMs);
        }
      }
    } finally {
      wake.stop();
      if (!link.connection.isClosed()) subscription.unsubscribe();
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the claims were closed"));
    for (const claim of this.#claims) claim.abandon();
    this.#claims.clear();
  }

  #hold(claim: NatsPartitionClaim): NatsPartitionClaim {
    this.#claims.add(claim);
    void claim.ended.then(() => this.#claims.delete(claim));
    return claim;
  }

  async #makeBucket(): Promise<void> {
    if (this.#bucketMade) return;
    await ensureOwnerBucket(this.#options.link.connection, this.#options.replicas);
    this.#bucketMade = true;
  }
}
