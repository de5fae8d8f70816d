/** A payload that the store keeps apart from the log, and runs may refer to. Changed by `apply` only. */
export interface PayloadRecord {
  readonly reference: string;
  readonly sizeBytes: number;
  readonly storedMs: number;
  /** Since when nothing refers to it, as long as nothing does. */
  freeMs: number;
  /** Payloads and outputs of runs that name it. Counted for a run as long as the run exists, in memory or in the log alone. */
  refs: number;
}

/** How long a payload is kept to which no run refers, in milliseconds. */
export const unreferencedRetentionMs = 60 * 60_000;
