/** Says who owns a partition. Kept in memory for services in one process, in a NATS KV bucket otherwise. */
export interface OwnerDirectory {
  /** The partition's owner as far as is known now; undefined if there is none. */
  current(partition: number): Owner | undefined;

  /** Calls `listener` at every change (with undefined when the owner is gone), and once at the start if there is an owner. Returns how to stop it. */
  watch(partition: number, listener: (owner: Owner | undefined) => void): () => void;
}

/** The owner of a partition. */
export interface Owner {
  /** Its epoch: a higher one is newer. */
  readonly epoch: bigint;
  /** Where it serves OwnerService; contains the epoch. */
  readonly address: string;
}
