/** When a snapshot is due, and what is kept. */
export interface SnapshotRules {
  /** Events in the log since the last one. */
  readonly events: number;
  /** Bytes of the log since the last one. */
  readonly bytes: number;
  /** Records of the log that are younger than this are kept although nothing needs them, in milliseconds. 0: none. */
  readonly keepLogMs: number;
}

/**
 * Defaults. What came since the last snapshot is replayed by whoever takes over: half a million events take one to two seconds. Not fewer, because a snapshot costs as much again, and an owner under full
 * load logs as many in about ten seconds.
 */
export const defaultSnapshotRules: SnapshotRules = { events: 500_000, bytes: 64 * 1024 * 1024, keepLogMs: 0 };
