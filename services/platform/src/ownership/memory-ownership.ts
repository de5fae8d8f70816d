import type { Owner, OwnerDirectory } from "../transport/owner-directory.js";
import { type ClaimLoss, ClaimLost, type PartitionClaim, type PartitionClaims } from "./partition-claim.js";

/** Claims and directory for services in one process. Claims never lapse by themselves. */
export class MemoryOwnership implements PartitionClaims, OwnerDirectory {
  readonly #partitions = new Map<number, PartitionState>();

  async claim(partition: number, nodeId: string, options: { signal?: AbortSignal } = {}): Promise<PartitionClaim> {
    const state = this.#state(partition);
    while (state.holder && state.holder.nodeId !== nodeId) {
      options.signal?.throwIfAborted();
      await changed(state, options.signal);
    }
    options.signal?.throwIfAborted();
    const claim = new MemoryClaim(partition, nodeId, state);
    const before = state.holder;
    state.holder = claim;
    state.setOwner(undefined);
    before?.lose("taken");
    return claim;
  }

  async close(): Promise<void> {}

  current(partition: number): Owner | undefined {
    return this.#state(partition).owner;
  }

  watch(partition: number, listener: (owner: Owner | undefined) => void): () => void {
    const state = this.#state(partition);
    state.watchers.add(listener);
    if (state.owner) listener(state.owner);
    return () => state.watchers.delete(listener);
  }

  /** Lets the claim of a partition lapse, as if it could not be renewed; for tests. */
  lapse(partition: number): void {
    this.#state(partition).holder?.lose("lapsed");
  }

  /** Renews a lapsed claim; for tests. */
  renew(partition: number): void {
    this.#state(partition).holder?.renew();
  }

  #state(partition: number): PartitionState {
    let state = this.#partitions.get(partition);
    if (!state) {
      state = new PartitionState();
      this.#partitions.set(partition, state);
    }
    return state;
  }
}

class PartitionState {
  holder: MemoryClaim | undefined;
  owner: Owner | undefined;
  readonly watchers = new Set<(owner: Owner | undefined) => void>();
  /** Called when the holder is gone. */
  readonly waiting = new Set<() => void>();

  setOwner(owner: Owner | undefined): void {
    if (this.owner === owner) return;
    this.owner = owner;
    for (const watcher of [...this.watchers]) watcher(owner);
  }
}

/** Waits until the holder has changed. */
function changed(state: PartitionState, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      state.waiting.delete(done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    state.waiting.add(done);
    signal?.addEventListener("abort", done);
  });
}

class MemoryClaim implements PartitionClaim {
  readonly partition: number;
  readonly nodeId: string;
  readonly #state: PartitionState;
  readonly #listeners = new Set<(why: ClaimLoss) => void>();
  #lapsed = false;

  constructor(partition: number, nodeId: string, state: PartitionState) {
    this.partition = partition;
    this.nodeId = nodeId;
    this.#state = state;
  }

  valid(): boolean {
    return this.#state.holder === this && !this.#lapsed;
  }

  onLost(listener: (why: ClaimLoss) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async publish(owner: Owner): Promise<void> {
    if (this.#state.holder !== this) throw new ClaimLost(`partition ${this.partition} is not ${this.nodeId}'s any more`);
    this.#state.setOwner({ epoch: owner.epoch, address: owner.address });
  }

  async release(): Promise<void> {
    if (this.#state.holder !== this) return;
    this.#state.holder = undefined;
    this.#state.setOwner(undefined);
    for (const wake of [...this.#state.waiting]) wake();
  }

  lose(why: ClaimLoss): void {
    this.#lapsed = true;
    for (const listener of [...this.#listeners]) listener(why);
  }

  renew(): void {
    this.#lapsed = false;
  }
}
