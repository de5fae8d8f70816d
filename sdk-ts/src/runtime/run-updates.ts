import type { MetadataOperation, MetadataTarget } from "../metadata/metadata-operation.js";
import type { RunMetadata } from "../metadata/metadata-value.js";

/** Tags and metadata of the run, as its attempt may read and change them. */
export interface RunUpdates {
  /** The run's own metadata as this attempt knows it, its own changes included. Not to be changed. */
  readonly metadata: RunMetadata;
  /**
   * Changes metadata: the run's own at once as far as this attempt can see, and on the server a little later, together with other changes.
   *
   * @throws Error if it would have more than 256 KiB
   */
  change(target: MetadataTarget, operation: MetadataOperation): void;
  /** Resolves when the server has all changes up to here. What it refuses is logged. */
  flush(): Promise<void>;
  /** Reads the run's metadata from the server: what others have changed is seen then. */
  refresh(): Promise<void>;
  /**
   * Adds tags to the run. Resolves when the server has them, with those that were left out because a run has 10 at most.
   *
   * @throws ApiError
   */
  addTags(tags: readonly string[]): Promise<string[]>;
}
