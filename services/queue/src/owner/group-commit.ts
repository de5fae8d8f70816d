import type { ConnectError } from "@connectrpc/connect";
import { encodeMessage, type Log, LogClosed, LogFull, refusal } from "@runlane/platform";
import { type Batch, type Event, type LogRecord, LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Durable } from "../engine/durable.js";
import { Outbox } from "../engine/outbox.js";
import { place } from "../engine/place.js";
import type { Step } from "../engine/step.js";
import type { Volatile } from "../engine/volatile.js";
import { type Clock, dayOf } from "./clock.js";
import { eventBytes } from "./event-bytes.js";
import { eventCountOf } from "./event-count.js";
import { itemRefusal, protocolStatus } from "./protocol-status.js";

/** A batch is sealed when it has about this many bytes: NATS takes messages of up to 1 MiB. */
const batchBytes = 256 * 1024;
/** Beyond this much that is not on disk, new work is refused. */
const uncommittedBytes = 64 * 1024 * 1024;
/** Batches get a new time at least this often, also while the log is away. */
const batchAgeMs = 50;
/** Acceptances alone wait this long for company: nobody waits for them. */
const lazyMs = 10;
/** An append that takes longer makes the log unavailable to callers, who repeat with the same request id. */
const patienceMs = 1_500;
/** How long callers are asked to wait while the log is away or full. */
const retryDelayMs = 500;

/** A batch that is forming, or waits to be appended. */
interface Forming {
  readonly nowMs: number;
  readonly events: Event[];
  readonly outbox: Outbox;
  readonly replies: Reply[];
  bytes: number;
}

interface Reply {
  readonly resolve: () => void;
  readonly reject: (error: ConnectError) => void;
}

/** What the commit works on, and whom it tells. */
export interface GroupCommitOptions {
  readonly log: Log;
  readonly epoch: bigint;
  readonly durable: Durable;
  readonly volatile: Volatile;
  readonly clock: Clock;
  /** Sends what a batch on disk allows to leave. */
  readonly deliver: (outbox: Outbox) => void;
  /** A record with so many events is on disk at this sequence. What hangs on it leaves after this. */
  readonly committed: (sequence: number, record: Uint8Array, events: number) => void;
  /** The state in memory is worth nothing any more: another owner wrote to the log, or the engine failed. */
  readonly lost: (cause: unknown) => void;
}

/**
 * Output commit: decisions change memory at once and put their events into the batch that is forming; replies, frames and notices hang on that batch and leave after its append.
 *
 * One append is in flight at a time: its condition on the log's last sequence is the fence. Placement is decided when a batch closes, so that a run's creation and its assignment share
 * an append. Nothing lingers: batches grow because they wait for the append before them.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #sealed: Forming[] = [];
  #open: Forming;
  #inFlight: Forming | undefined;
  #batchNumber = 0n;
  #expected: number;
  #uncommitted = 0;
  #scheduled = false;
  #cancelLazy: (() => void) | undefined;
  #trouble: "LOG_UNAVAILABLE" | "LOG_FULL" | undefined;
  #stopped = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#expected = Number(options.epoch);
    this.#open = this.#form();
  }

  /** Sequence of the last append that is on disk. */
  get sequence(): number {
    return this.#expected;
  }

  /** Why new work cannot be taken now; undefined if it can. */
  get refusal(): ConnectError | undefined {
    if (this.#stopped) return refusal("NOT_OWNER", "this server no longer owns the partition", { retryDelayMs: 100 });
    if (this.#trouble) return this.#troubleError();
    if (this.#uncommitted > uncommittedBytes)
      return refusal("OVERLOADED", "too much work is not yet on disk; repeat the request after the delay", { retryDelayMs });
    return undefined;
  }

  /** Makes a decision. `bytes` is about how much its events will hold. */
  decide<T>(bytes: number, decision: (step: Step) => T): T {
    const open = this.#room(bytes);
    const before = open.events.length;
    let result: T;
    try {
      result = decision(this.#step(open));
    } catch (error) {
      this.#lose(error);
      throw error;
    }
    let lazy = open.outbox.empty && open.replies.length === 0;
    for (let i = before; i < open.events.length; i++) {
      const event = open.events[i] as Event;
      const size = eventBytes(event);
      open.bytes += size;
      this.#uncommitted += size;
      lazy &&= event.event.case === "runsAccepted";
    }
    if (!lazy || this.#options.durable.eligible.size > 0 || this.#options.volatile.freed.size > 0) this.#schedule();
    else if (open.events.length > before) this.#cancelLazy ??= this.#options.clock.after(lazyMs, () => this.#schedule());
    return result;
  }

  /**
   * Resolves when everything decided so far is on disk; rejects if the caller should ask again.
   *
   * A reader says which events `concern` what it saw. While the log is away or full it is answered too, if none of those is uncommitted: so reads go on.
   */
  settled(concern?: (event: Event) => boolean): Promise<void> {
    if (this.#trouble && concern && !this.#stopped && !this.#isUncommitted(concern)) return Promise.resolve();
    if (this.#stopped || this.#trouble) return Promise.reject(this.refusal);
    if (!this.#inFlight && this.#sealed.length === 0 && this.#open.events.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#open.replies.push({ resolve, reject });
      this.#schedule();
    });
  }

  /** Takes no more decisions and fails what hangs on batches that are not on disk. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelLazy?.();
    const error = this.refusal as ConnectError;
    for (const batch of [this.#inFlight, ...this.#sealed, this.#open]) rejectReplies(batch, error);
  }

  #isUncommitted(concern: (event: Event) => boolean): boolean {
    return [this.#inFlight, ...this.#sealed, this.#open].some((batch) => batch?.events.some(concern));
  }

  #step(open: Forming): Step {
    const { durable, volatile, clock, epoch } = this.#options;
    return {
      durable,
      volatile,
      now: open.nowMs,
      clock: Math.max(open.nowMs, Math.ceil(clock.now())),
      monotonic: clock.monotonic(),
      epoch,
      random: clock.random,
      statusOf: protocolStatus,
      faultOf: itemRefusal,
      dayOf,
      outbox: open.outbox,
      events: open.events,
    };
  }

  #form(): Forming {
    const { durable, clock } = this.#options;
    return { nowMs: Math.max(durable.now, Math.floor(clock.now())), events: [], outbox: new Outbox(), replies: [], bytes: 0 };
  }

  /** The batch that takes `bytes` more: the open one, unless it is full or its time is old. */
  #room(bytes: number): Forming {
    const open = this.#open;
    const old = this.#options.clock.now() - open.nowMs > batchAgeMs;
    if (open.events.length === 0) {
      if (old) this.#open = { ...open, nowMs: this.#form().nowMs };
    } else if (old || open.bytes + bytes > batchBytes) {
      this.#seal();
    }
    return this.#open;
  }

  /** Closes the open batch: placement is decided now. */
  #seal(): boolean {
    const open = this.#open;
    const before = open.events.length;
    let more: boolean;
    try {
      more = place(this.#step(open));
    } catch (error) {
      this.#lose(error);
      return false;
    }
    for (let i = before; i < open.events.length; i++) {
      const size = eventBytes(open.events[i] as Event);
      open.bytes += size;
      this.#uncommitted += size;
    }
    this.#sealed.push(open);
    this.#open = this.#form();
    return more;
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#inFlight || this.#stopped) return;
    this.#cancelLazy?.();
    this.#cancelLazy = undefined;
    while (this.#sealed.length === 0) {
      const more = this.#seal();
      const only = this.#sealed[0];
      if (this.#stopped || !only) return;
      if (only.events.length > 0) {
        if (more) this.#schedule();
        break;
      }
      // Nothing to write: what hangs on the batch may leave, for all before it is on disk.
      this.#sealed.shift();
      this.#release(only);
      if (!more) return;
    }
    const batch = this.#sealed.shift();
    if (batch) this.#append(batch);
  }

  #append(forming: Forming): void {
    const { log, epoch, clock } = this.#options;
    this.#inFlight = forming;
    this.#batchNumber += 1n;
    const batch: Batch = {
      $typeName: "runlane.internal.v1.Batch",
      epoch,
      number: this.#batchNumber,
      nowMs: BigInt(forming.nowMs),
      events: forming.events,
    };
    const record: LogRecord = { $typeName: "runlane.internal.v1.LogRecord", record: { case: "batch", value: batch } };
    const bytes = encodeMessage(LogRecordSchema, record);
    const attempt = () => {
      const calm = clock.after(patienceMs, () => this.#fret("LOG_UNAVAILABLE"));
      log.append(this.#expected, bytes).then(
        (sequence) => {
          calm();
          this.#written(forming, sequence, bytes);
        },
        (error: unknown) => {
          calm();
          if (this.#stopped || error instanceof LogClosed) return this.stop();
          if (!(error instanceof LogFull)) return this.#lose(error);
          this.#fret("LOG_FULL");
          clock.after(retryDelayMs, attempt);
        },
      );
    };
    attempt();
  }

  #written(forming: Forming, sequence: number, record: Uint8Array): void {
    if (this.#stopped) return;
    this.#inFlight = undefined;
    this.#trouble = undefined;
    this.#expected = sequence;
    this.#uncommitted -= forming.bytes;
    forming.outbox.leaves(this.#options.clock.monotonic());
    this.#options.committed(sequence, record, eventCountOf(forming.events));
    this.#release(forming);
    const { durable, volatile } = this.#options;
    if (this.#sealed.length > 0 || this.#open.events.length > 0 || this.#open.replies.length > 0 || !this.#open.outbox.empty) this.#schedule();
    else if (durable.eligible.size > 0 || volatile.freed.size > 0) this.#schedule();
  }

  #release(batch: Forming): void {
    for (const { resolve } of batch.replies) resolve();
    if (!batch.outbox.empty) this.#options.deliver(batch.outbox);
  }

  /** Callers need not wait for a log that is away: with their request id they find their runs later. */
  #fret(trouble: "LOG_UNAVAILABLE" | "LOG_FULL"): void {
    this.#trouble = trouble;
    const error = this.#troubleError();
    for (const batch of [this.#inFlight, ...this.#sealed, this.#open]) rejectReplies(batch, error);
  }

  #troubleError(): ConnectError {
    return this.#trouble === "LOG_FULL"
      ? refusal("LOG_FULL", "the log's store is full; make room for it, then repeat the request", { retryDelayMs })
      : refusal("LOG_UNAVAILABLE", "the log cannot be reached (is nats-server running?); repeat the request with the same request id after the delay", {
          retryDelayMs,
        });
  }

  #lose(cause: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.lost(cause);
  }
}

function rejectReplies(batch: Forming | undefined, error: ConnectError): void {
  if (!batch) return;
  for (const { reject } of batch.replies.splice(0)) reject(error);
}
