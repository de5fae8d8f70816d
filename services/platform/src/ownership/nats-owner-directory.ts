import type { Msg, Subscription } from "@nats-io/transport-node";
import type { LinkEvent, NatsLink } from "../nats/connection.js";
import { subjects } from "../nats/subjects.js";
import type { Owner, OwnerDirectory } from "../transport/owner-directory.js";
import { decodeClaim, readClaimAnywhere, type StoredClaim } from "./owner-bucket.js";
import { claimTimes } from "./partition-claim.js";

/** What is known of a partition. */
interface Known {
  /** Revision of the newest record seen; 0 before the first. */
  revision: number;
  owner: Owner | undefined;
  /** When a record was last seen, by the monotonic clock. */
  heardAt: number;
  readonly watchers: Set<(owner: Owner | undefined) => void>;
}

const retryMs = 250;

/**
 * The owners of partitions, as NATS KV knows them; for services that may only read.
 *
 * Every write of the bucket is sent out again by NATS, renewals too, so silence means that something was missed: then, and after a lost connection, the
 * directory reads. An owner that died stays in it until another is known or it is released; calls to it say NO_SERVER.
 */
export class NatsOwnerDirectory implements OwnerDirectory {
  readonly #link: NatsLink;
  readonly #silenceMs: number;
  readonly #partitions = new Map<number, Known>();
  readonly #subscription: Subscription;
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #retries = new Set<NodeJS.Timeout>();
  #closed = false;

  /** @param options.renewMs how often claims are renewed; default 5,000 ms */
  constructor(link: NatsLink, options: { renewMs?: number } = {}) {
    this.#link = link;
    this.#silenceMs = 1.5 * (options.renewMs ?? claimTimes.renewMs);
    this.#subscription = link.connection.subscribe(subjects.allOwners, { callback: (_, message) => this.#hear(message) });
    this.#unwatch = link.watch((event) => this.#linkChanged(event));
    this.#timer = setInterval(() => this.#breakSilence(), this.#silenceMs);
    this.#timer.unref();
  }

  /** The owner; undefined, too, for a partition that was never asked for nor heard of: it is being looked for. */
  current(partition: number): Owner | undefined {
    return this.#known(partition).owner;
  }

  watch(partition: number, listener: (owner: Owner | undefined) => void): () => void {
    const known = this.#known(partition);
    known.watchers.add(listener);
    if (known.owner) listener(known.owner);
    return () => known.watchers.delete(listener);
  }

  /** Stops following. The connection stays open. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const retry of this.#retries) clearTimeout(retry);
    this.#unwatch();
    if (!this.#link.connection.isClosed()) this.#subscription.unsubscribe();
  }

  /** What is known of a partition; looks for it if that is nothing. */
  #known(partition: number): Known {
    const known = this.#partitions.get(partition);
    if (!known) void this.#look(partition);
    return known ?? this.#add(partition);
  }

  #add(partition: number): Known {
    const known: Known = { revision: 0, owner: undefined, heardAt: performance.now(), watchers: new Set() };
    this.#partitions.set(partition, known);
    return known;
  }

  #hear(message: Msg): void {
    const partition = Number(message.subject.slice(message.subject.lastIndexOf(".") + 1));
    const revision = Number(message.headers?.get("Nats-Sequence"));
    this.#learn(partition, { revision, record: decodeClaim(message.data) });
  }

  #learn(partition: number, stored: StoredClaim): void {
    const known = this.#partitions.get(partition) ?? this.#add(partition);
    known.heardAt = performance.now();
    // A read may be answered by a replica that lags behind what was heard already.
    if (stored.revision <= known.revision) return;
    known.revision = stored.revision;
    const owner = stored.record?.owner;
    if (owner?.epoch === known.owner?.epoch && owner?.address === known.owner?.address) return;
    known.owner = owner;
    for (const watcher of [...known.watchers]) watcher(owner);
  }

  async #look(partition: number): Promise<void> {
    try {
      const stored = await readClaimAnywhere(this.#link.connection, partition);
      if (stored) this.#learn(partition, stored);
    } catch {
      // NATS is away, or nobody has made the bucket yet. Once the connection is lost its return is reason enough to look.
      if (this.#closed || !this.#link.up || this.#link.connection.isClosed()) return;
      const retry = setTimeout(() => {
        this.#retries.delete(retry);
        void this.#look(partition);
      }, retryMs);
      retry.unref();
      this.#retries.add(retry);
    }
  }

  #linkChanged(event: LinkEvent): void {
    if (event === "up") for (const partition of this.#partitions.keys()) void this.#look(partition);
  }

  #breakSilence(): void {
    const silentSince = performance.now() - this.#silenceMs;
    for (const [partition, known] of this.#partitions) if (known.heardAt < silentSince) void this.#look(partition);
  }
}
