import type { Owner } from "../transport/owner-directory.js";

/**
 * Gives out claims of partitions. A claim says who should try to own a partition, so that several do not take it from each other in turns. It fences nothing:
 * that an owner is the only one follows from the log, where every other's appends are refused.
 */
export interface PartitionClaims {
  /**
   * Waits until the partition is this node's. At once if nobody has it, its holder released it, or the holder is an earlier life of the same node; else when
   * the holder has not renewed it for 15 s.
   *
   * @param options.signal ends the waiting; the promise then rejects with its reason
   */
  claim(partition: number, nodeId: string, options?: { signal?: AbortSignal }): Promise<PartitionClaim>;

  /** Stops renewing, so that the claims lapse. Does not release them. */
  close(): Promise<void>;
}

/** A partition that a node has claimed; renewed every 5 s until it is released or taken. */
export interface PartitionClaim {
  readonly partition: number;
  readonly nodeId: string;

  /** Whether the claim holds now, by this machine's monotonic clock. An owner whose claim does not hold answers NOT_OWNER, until it holds again. */
  valid(): boolean;

  /** Calls `listener` whenever the claim is lost; returns how to stop it. */
  onLost(listener: (why: ClaimLoss) => void): () => void;

  /**
   * Makes the owner known in the OwnerDirectory. Resolves when it is stored, however long that takes.
   *
   * @throws ClaimLost if the claim is taken or released before.
   */
  publish(owner: Owner): Promise<void>;

  /** Gives the partition free, and removes the owner from the directory. Best effort: a claim that cannot be released lapses. Idempotent. */
  release(): Promise<void>;
}

/**
 * How a claim was lost.
 *
 * - `lapsed`: it could not be renewed in time. Renewing goes on; unless somebody takes it, it will be valid again
 * - `taken`: another node has it, or another life of this one. Final
 */
export type ClaimLoss = "lapsed" | "taken";

/** The claim is somebody else's, or nobody's, by now. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
}

/** How long a claim holds after the sending of its last renewal, and how often it is renewed; in milliseconds. */
export const claimTimes = { lapseMs: 15_000, renewMs: 5_000 } as const;
