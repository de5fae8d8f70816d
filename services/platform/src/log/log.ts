/**
 * The write-ahead log of one partition: three verbs over an ordered sequence of records.
 *
 * JetStream in production, memory in tests, in the simulation and in the testing kit; `log.suite.ts` is the behaviour that both share.
 */
export interface Log {
  /**
   * Appends one record, on the condition that the log's last sequence is `expected` (0: the log is empty).
   *
   * Resolves with the record's sequence once the record is as durable as the log can make it. One append at a time: the condition is a fence only
   * as long as nothing is pipelined behind it.
   *
   * An implementation does whatever it takes to learn the outcome of an ambiguous append (time-out, lost connection): it appends the identical record
   * with the identical condition again until it has an answer, and tells its own record from a stranger's by reading it back.
   *
   * @throws LogConflict  if another writer's record took that sequence: this writer has lost the log and must stop.
   * @throws LogFull      if the store has no room: nothing was appended; the same append may be tried later.
   * @throws LogClosed    if the log was closed by its user.
   */
  append(expected: number, record: Uint8Array): Promise<number>;

  /**
   * Yields records in order, from sequence `from` (at least the first that was not purged) to the last that existed when the reading began, as the log's
   * leader saw it. A record is a view into a larger buffer: copy what is kept.
   *
   * @throws LogDamaged if a record between them is missing, LogClosed if the log was closed by its user.
   */
  read(from: number): AsyncIterable<LogEntry>;

  /** Reads one record, as the log's leader sees it, or undefined if there is none with this sequence. */
  at(sequence: number): Promise<Uint8Array | undefined>;

  /** Sequence of the last record ever appended, 0 for an empty log, as the log's leader sees it. */
  last(): Promise<number>;

  /** Sequence of the first record that was not purged; that of the next record if there is none. */
  first(): Promise<number>;

  /** Deletes every record below `to`, at most all of them. The last sequence stays as it is. */
  purge(to: number): Promise<void>;

  /** Whether the last append got an answer in reasonable time: false while the store is away. Appends go on trying meanwhile. */
  readonly healthy: boolean;

  /** Stops: pending appends are rejected with LogClosed. */
  close(): Promise<void>;
}

/** A record and where it stands. */
export interface LogEntry {
  readonly sequence: number;
  readonly record: Uint8Array;
}

/** Another writer has taken the sequence that an append was to have. */
export class LogConflict extends Error {
  override readonly name = "LogConflict";
}

/** The store is at its limit. */
export class LogFull extends Error {
  override readonly name = "LogFull";
}

/** Records are missing between others: the store has lost them. What was built from such a log would be wrong. */
export class LogDamaged extends Error {
  override readonly name = "LogDamaged";
}

/** The log was closed while an append was under way. */
export class LogClosed extends Error {
  override readonly name = "LogClosed";
}
