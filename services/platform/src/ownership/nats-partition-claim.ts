import type { Logger } from "pino";
import type { NatsLink } from "../nats/connection.js";
import { isPassing, unlessInterrupted } from "../nats/jetstream-api.js";
import type { Owner } from "../transport/owner-directory.js";
import { BucketFull, type ClaimRecord, readClaim, writeClaim } from "./owner-bucket.js";
import { type ClaimLoss, ClaimLost, type PartitionClaim } from "./partition-claim.js";
import { Wake } from "./wake.js";

/** A claim that was just written. */
export interface WonClaim {
  readonly link: NatsLink;
  readonly logger: Logger;
  readonly lapseMs: number;
  readonly renewMs: number;
  readonly partition: number;
  readonly nodeId: string;
  readonly lease: string;
  /** Revision of the claim's first write. */
  readonly revision: number;
  /** When that was sent, by the monotonic clock. */
  readonly since: number;
}

const retryMs = 250;
const releaseLimitMs = 2_000;

/** A claim in the KV bucket, and the loop that renews it. */
export class NatsPartitionClaim implements PartitionClaim {
  readonly partition: number;
  readonly nodeId: string;
  /** Resolves when the claim is not renewed any more. */
  readonly ended: Promise<void>;
  readonly #claim: WonClaim;
  readonly #wake = new Wake();
  readonly #listeners = new Set<(why: ClaimLoss) => void>();
  #publications: { readonly version: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  /**
   * - `held`: this claim's record is in the bucket, as far as is known; valid until `#validUntil`
   * - `releasing`: asked to give it back
   * - `over`: taken, released or abandoned
   */
  #state: "held" | "releasing" | "over" = "held";
  #owner: Owner | undefined;
  #version = 0;
  #revision: number;
  #validUntil: number;
  #lapseTimer: NodeJS.Timeout | undefined;
  /** The store had no room for the last renewal. */
  #full = false;

  constructor(claim: WonClaim) {
    this.#claim = claim;
    this.partition = claim.partition;
    this.nodeId = claim.nodeId;
    this.#revision = claim.revision;
    this.#validUntil = claim.since + claim.lapseMs;
    this.#watchLapse();
    this.ended = this.#keep();
  }

  valid(): boolean {
    return this.#state === "held" && performance.now() < this.#validUntil;
  }

  onLost(listener: (why: ClaimLoss) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(owner: Owner): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state !== "held") return reject(this.#lost());
      this.#owner = { epoch: owner.epoch, address: owner.address };
      this.#publications.push({ version: ++this.#version, resolve, reject });
      this.#wake.now();
    });
  }

  async release(): Promise<void> {
    if (this.#state === "held") {
      this.#state = "releasing";
      this.#wake.now();
    }
    await this.ended;
  }

  /** Stops renewing without giving it back, as if the process had died. */
  abandon(): void {
    this.#end();
    this.#wake.now();
  }

  /** Renews the claim until it is over. One write at a time: each is conditional on the revision of the one before. */
  async #keep(): Promise<void> {
    const { renewMs, logger } = this.#claim;
    let pauseMs: number = renewMs;
    for (;;) {
      await this.#wake.after(pauseMs);
      if (this.#state !== "held") break;
      try {
        pauseMs = (await this.#renew()) ? renewMs : 0;
      } catch (error) {
        if (!isPassing(error)) logger.error({ partition: this.partition, err: error }, "a claim could not be renewed");
        pauseMs = Math.min(retryMs, renewMs);
      }
    }
    if (this.#state === "releasing") await this.#giveBack();
    this.#end();
  }

  /** Writes the record once more. False if it has to be done again at once. */
  async #renew(): Promise<boolean> {
    const { link, partition, nodeId, lease, lapseMs } = this.#claim;
    const sentAt = performance.now();
    const version = this.#version;
    const record = { node: nodeId, lease, owner: this.#owner };
    const revision = await unlessInterrupted(link, this.#write(record));
    if (revision === undefined) {
      // Another node's write, or an own one whose answer was lost.
      const stored = await unlessInterrupted(link, readClaim(link.connection, partition));
      if (stored?.record?.lease !== lease) this.#taken();
      else this.#revision = stored.revision;
      return false;
    }
    this.#revision = revision;
    if (this.#state !== "held") return true;
    this.#validUntil = sentAt + lapseMs;
    this.#watchLapse();
    for (const publication of this.#publications) if (publication.version <= version) publication.resolve();
    this.#publications = this.#publications.filter((publication) => publication.version > version);
    return true;
  }

  /**
   * Writes the record as its next revision. A store without room takes nobody's record: whose claim stands there still has it, and reads go on. (The log, not the claim, keeps
   * two owners apart.)
   */
  async #write(record: ClaimRecord): Promise<number | undefined> {
    const { link, partition, lease, logger } = this.#claim;
    try {
      const revision = await writeClaim(link.connection, partition, record, this.#revision);
      this.#full = false;
      return revision;
    } catch (error) {
      if (!(error instanceof BucketFull)) throw error;
      const stored = await readClaim(link.connection, partition);
      // What is to be published must be written.
      if (stored?.record?.lease !== lease || this.#publications.length > 0) throw error;
      if (!this.#full) logger.error({ partition, err: error }, "the store has no room: nothing can be written until there is some");
      this.#full = true;
      return stored.revision;
    }
  }

  async #giveBack(): Promise<void> {
    const { link, partition, lease, logger } = this.#claim;
    const deadline = performance.now() + releaseLimitMs;
    while (performance.now() < deadline && !link.connection.isClosed()) {
      try {
        if ((await writeClaim(link.connection, partition, undefined, this.#revision)) !== undefined) break;
        const stored = await readClaim(link.connection, partition);
        if (stored?.record?.lease !== lease) break;
        this.#revision = stored.revision;
      } catch (error) {
        if (!isPassing(error)) {
          logger.error({ partition, err: error }, "a claim could not be released; it will lapse");
          return;
        }
        if (!link.up) return;
      }
    }
  }

  #watchLapse(): void {
    clearTimeout(this.#lapseTimer);
    this.#lapseTimer = setTimeout(() => {
      if (this.#state !== "held") return;
      const { logger } = this.#claim;
      logger.warn({ partition: this.partition }, "a claim has lapsed; trying to renew it");
      this.#tell("lapsed");
    }, this.#validUntil - performance.now());
  }

  #taken(): void {
    if (this.#state === "over") return;
    const { logger } = this.#claim;
    logger.warn({ partition: this.partition }, "a claim was taken");
    this.#end();
    this.#tell("taken");
  }

  #end(): void {
    this.#state = "over";
    clearTimeout(this.#lapseTimer);
    for (const publication of this.#publications) publication.reject(this.#lost());
    this.#publications = [];
  }

  #tell(why: ClaimLoss): void {
    for (const listener of [...this.#listeners]) listener(why);
  }

  #lost(): ClaimLost {
    return new ClaimLost(`partition ${this.partition} is not ${this.nodeId}'s any more`);
  }
}
