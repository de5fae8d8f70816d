/** How long before the end of the lease attempts must have ended, in milliseconds. */
const marginMs = 500;
/** The longest that a timer of Node can be, in milliseconds; one that should be longer fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * For how long the worker may run what it holds. The server keeps a silent worker's attempts for the lease, counted from the last heartbeat or Hello that reached it; the
 * worker counts from the sending of the last one that was answered, which is earlier, and stops half a second before.
 */
export class Lease {
  readonly #ended: () => void;
  readonly #keepsAlive: boolean;
  readonly #now: () => number;
  #durationMs = 0;
  /** When the last answered Hello or heartbeat was sent; undefined while there is nothing to lose: before the first Welcome, and after the end until the next. */
  #heldSince: number | undefined;
  /** When the first Hello was sent that has no Welcome so far. */
  #greetedAt: number | undefined;
  #lastAnswerAt = 0;
  #lastSequence = 0n;
  /** When heartbeats without an answer were sent, by sequence. */
  #sent = new Map<bigint, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `ended` is called when attempts must end. `keepsAlive` says whether the process lives as long as the lease. `now` is a monotonic clock in milliseconds. */
  constructor(ended: () => void, keepsAlive = true, now: () => number = () => performance.now()) {
    this.#ended = ended;
    this.#keepsAlive = keepsAlive;
    this.#now = now;
  }

  /** Length in milliseconds; 0 before the first Welcome. */
  get durationMs(): number {
    return this.#durationMs;
  }

  /** Milliseconds since the server was last heard to know us. */
  get silenceMs(): number {
    return this.#now() - this.#lastAnswerAt;
  }

  /** A stream is new: what was sent on another will not be answered on this one. */
  streamOpened(): void {
    this.#greetedAt = undefined;
    this.#lastSequence = 0n;
    this.#sent.clear();
  }

  /** A Hello is sent. */
  greeted(): void {
    this.#greetedAt ??= this.#now();
    this.#sent.clear();
  }

  /** A Welcome has come. */
  welcomed(durationMs: number): void {
    this.#durationMs = durationMs;
    this.#answered(this.#greetedAt ?? this.#now());
    this.#greetedAt = undefined;
  }

  /** A heartbeat is sent; its sequence. */
  beat(): bigint {
    this.#lastSequence += 1n;
    this.#sent.set(this.#lastSequence, this.#now());
    return this.#lastSequence;
  }

  /** The answer to a heartbeat has come. Unknown ones, of before a Hello, say nothing. */
  answered(sequence: bigint): void {
    const sentAt = this.#sent.get(sequence);
    if (sentAt === undefined) return;
    for (const earlier of this.#sent.keys()) if (earlier <= sequence) this.#sent.delete(earlier);
    this.#answered(sentAt);
  }

  /** Ends the watch. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#heldSince = undefined;
  }

  #answered(sentAt: number): void {
    this.#lastAnswerAt = this.#now();
    this.#heldSince = sentAt;
    if (this.#timer === undefined) this.#sleep(sentAt);
  }

  #left(since: number): number {
    return Math.min(longestTimerMs, Math.max(0, since + this.#durationMs - marginMs - this.#now()));
  }

  // The timer is not moved with every answer: when it fires, it sees whether there has been one since, and sleeps on.
  readonly #check = (): void => {
    this.#timer = undefined;
    if (this.#heldSince === undefined) return;
    if (this.#left(this.#heldSince) > 0) return this.#sleep(this.#heldSince);
    this.#heldSince = undefined;
    this.#ended();
  };

  #sleep(since: number): void {
    this.#timer = setTimeout(this.#check, this.#left(since));
    if (!this.#keepsAlive) this.#timer.unref();
  }
}
