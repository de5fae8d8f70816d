/** What a client may send, besides what binds one item (`itemLimits`). The protos state each limit beside the field that it binds. */
export const limits = {
  /** Items in one frame or call. */
  items: 500,
  /** Bytes of payloads and names in one frame or call. A payload that is too large by itself is refused alone and not counted. */
  frameBytes: 512 * 1024,
  /** Items of one batch. */
  batchItems: 1_000,
  /** Slots that a limit may have. */
  slots: 100_000,
  /** Milliseconds that the override of one concurrency key may hold, at least and at most. */
  leastOverrideMs: 1_000,
  longestOverrideMs: 30 * 24 * 60 * 60 * 1_000,
  /** What a burst factor may be. */
  burstFactor: 100,
  /** Characters of a request id. */
  requestId: 64,
  /** Characters of a version's number. Owners make shorter ones. */
  version: 64,
  /** Characters of a run id. Owners make shorter ones. */
  runId: 128,
  /** Run ids in one WatchFrame, and in one WatchRuns call. */
  watchedRuns: 500,
  /** Characters of the reason of a cancellation; more are cut off. */
  cancelReason: 1_000,
  /** Values of one condition of a filter. */
  filterValues: 100,
  /** Characters of each. */
  filterText: 256,
  /** Watches of one stream of Watch, and run ids in all of them. */
  watches: 100,
  watchedRunIds: 10_000,
  /** Milliseconds that a token's idempotency key may last, at least and at most. */
  leastTokenKeyMs: 1_000,
  longestTokenKeyMs: 30 * 24 * 60 * 60 * 1_000,
  /** Characters of a token's id, and of its secret. Owners make shorter ones. */
  tokenId: 128,
  tokenSecret: 128,
  /** Runs on one page, and if the caller does not say. */
  runPageSize: 100,
  defaultRunPageSize: 25,
  /** Tasks, or versions, on one page. */
  pageSize: 1_000,
  /** Tasks, or versions, on a page if the caller does not say. */
  defaultPageSize: 100,
} as const;
