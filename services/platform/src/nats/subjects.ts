/**
 * Names of everything that Runlane has in NATS. Users' permissions (users.ts) are written in these terms.
 *
 * | subject | what |
 * | --- | --- |
 * | `runlane.log.<partition>` | appends to a partition's log, stream `RUNLANE_LOG_<partition>` |
 * | `runlane.payload.<environment>.<reference>` | chunks of a payload, stream `RUNLANE_PAYLOADS` |
 * | `runlane.snapshot.<partition>.<name>` | chunks of a snapshot, stream `RUNLANE_SNAPSHOTS` |
 * | `runlane.call.>` | the internal transport |
 * | `$KV.RUNLANE_OWNERS.<partition>` | claims of partitions, KV bucket `RUNLANE_OWNERS` |
 * | `runlane.owners.<partition>` | the same, sent out again once it is stored |
 * | `_INBOX.<user>.>` | answers, a user's own |
 * | `_INBOX_LOG.>` | acknowledgements of appends: apart from other answers, so that only NATS itself can give them |
 */
export const subjects = {
  /** Where a partition's records are published. */
  log: (partition: number): string => `runlane.log.${partition}`,
  /** Every log's subject. */
  allLogs: "runlane.log.*",
  /** Where the chunks of a payload are published. */
  payload: (environment: string, reference: string): string => `runlane.payload.${environment}.${reference}`,
  /** Every payload's subject. */
  allPayloads: "runlane.payload.*.*",
  /** Where the chunks of a snapshot are published. */
  snapshot: (partition: number, name: string): string => `runlane.snapshot.${partition}.${name}`,
  /** Every snapshot's subject. */
  allSnapshots: "runlane.snapshot.*.*",
  /** Everything of the internal transport. */
  allCalls: "runlane.call.>",
  /** Where a partition's claim is written. */
  claim: (partition: number): string => `$KV.RUNLANE_OWNERS.${partition}`,
  /** Every claim. */
  allClaims: "$KV.RUNLANE_OWNERS.>",
  /** Where a stored claim is heard of. */
  owner: (partition: number): string => `runlane.owners.${partition}`,
  /** Every stored claim. */
  allOwners: "runlane.owners.>",
  /** Prefix of a user's answers. */
  inbox: (user: string): string => `_INBOX.${user}`,
  /** Prefix of the acknowledgements of appends. */
  logInbox: "_INBOX_LOG",
} as const;

/** Names of streams. */
export const streams = {
  /** A partition's log. */
  log: (partition: number): string => `RUNLANE_LOG_${partition}`,
  /** Chunks of payloads. */
  payloads: "RUNLANE_PAYLOADS",
  /** Chunks of snapshots. */
  snapshots: "RUNLANE_SNAPSHOTS",
  /** The KV bucket of claims, as a stream. */
  owners: "KV_RUNLANE_OWNERS",
} as const;
