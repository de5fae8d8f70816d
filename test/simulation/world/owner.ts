import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { WorkResponse } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import {
  apply,
  ChunkReader,
  createDurable,
  createVolatile,
  type Durable,
  decideTick,
  type Environment,
  emit,
  environmentCreated,
  nextDue,
  Outbox,
  pictureOf,
  place,
  Restoration,
  reindex,
  type Step,
  snapshotChunks,
  snapshotRecords,
  type Volatile,
} from "@runlane/queue/testing/simulated.js";
import type { Cause, Observation } from "../oracle/observation.js";
import { leaseMs, type Oracle } from "../oracle/oracle.js";
import { promise } from "../oracle/violation.js";
import type { Chance } from "./chance.js";

/** What a batch of the log holds. */
interface Logged {
  readonly now: number;
  readonly epoch: bigint;
  readonly events: readonly Event[];
}

/** A decision whose events are not on disk. */
interface Pending {
  readonly seen: Omit<Observation, "frames" | "notices" | "ends">;
  readonly outbox: Outbox;
}

/** Where messages of the owner go. */
export type Deliver = (streamId: string, message: WorkResponse) => void;

/** How an owner ends. */
export type Crash =
  /** What was not on disk never happened. */
  | "undecided"
  /** The last append came through, and nothing that hung on it left. */
  | "unsaid"
  /** Nothing was under way. */
  | "clean";

/** An owner of the partition as the shell makes one: decisions, batches, one log; messages leave when their batch is on disk. It may die at any time. */
export class SimulatedOwner {
  // Almost all of its backlog is packed; what it makes of the log after a crash is not, at first.
  durable: Durable = createDurable({ records: 3 });
  volatile: Volatile = createVolatile();
  readonly log: Logged[] = [];
  /** The wall's clock and the one that only goes forward, in milliseconds. */
  wall = Date.UTC(2026, 0, 1);
  monotonic = 1_000;
  epoch = 1n;
  events = 0;
  readonly #oracle: Oracle;
  readonly #chance: Chance;
  readonly #deliver: Deliver;
  #open: { readonly now: number; readonly pending: Pending[] } | undefined;
  readonly #sealed: { readonly now: number; readonly pending: Pending[] }[] = [];

  constructor(oracle: Oracle, chance: Chance, deliver: Deliver) {
    this.#oracle = oracle;
    this.#chance = chance;
    this.#deliver = deliver;
    this.decide(
      (step) => emit(step, environmentCreated("dev", "test")),
      () => ({ kind: "begin" }),
    );
    this.commit();
  }

  get environment(): Environment {
    return this.durable.environments.get("dev") as Environment;
  }

  /** Makes a decision. Its events join the batch that is forming. */
  decide<T>(decision: (step: Step) => T, cause: (result: T) => Cause): T {
    const now = Math.max(this.durable.now, this.wall);
    if (this.#open && this.#open.now !== now) this.seal();
    this.#open ??= { now, pending: [] };
    const outbox = new Outbox();
    const events: Event[] = [];
    const result = decision(this.#step(this.#open.now, outbox, events));
    this.#open.pending.push({ seen: { now: this.#open.now, monotonic: this.monotonic, cause: cause(result), events }, outbox });
    return result;
  }

  /** Closes the batch that is forming: what may start is placed. */
  seal(rested = false): void {
    const batch = this.#open ?? { now: Math.max(this.durable.now, this.wall), pending: [] };
    this.#open = undefined;
    const outbox = new Outbox();
    const events: Event[] = [];
    const more = place(this.#step(batch.now, outbox, events));
    promise(!more, () => "placing does not end");
    batch.pending.push({ seen: { now: batch.now, monotonic: this.monotonic, cause: { kind: "place", rested }, events }, outbox });
    this.#sealed.push(batch);
  }

  /** Closes the batch and writes everything to the log; its messages leave. */
  commit(rested = false): void {
    this.seal(rested);
    for (const batch of this.#sealed.splice(0)) this.#write(batch, true);
  }

  /** Does what is due, as often as the engine asks to be woken. */
  tick(): void {
    this.decide(
      (step) => decideTick(step, leaseMs),
      () => ({ kind: "tick" }),
    );
    this.commit();
  }

  /** How long until the engine wants to be woken, in milliseconds; undefined: not by time. */
  nextDue(): number | undefined {
    const { durable, volatile, monotonic } = this;
    const wait = nextDue({ durable, volatile, now: Math.max(durable.now, this.wall), monotonic }, leaseMs, Math.max(0, durable.now - this.wall));
    return wait === undefined ? undefined : Math.ceil(wait);
  }

  /** The owner dies, and another takes over from what the log says. */
  crash(how: Crash): void {
    if (how === "unsaid") for (const batch of this.#sealed.splice(0)) this.#write(batch, false);
    if (how === "clean") this.#finish();
    this.#open = undefined;
    this.#sealed.length = 0;
    const before = how === "clean" ? JSON.stringify(pictureOf(this.durable), plain) : undefined;
    this.durable = this.#chance.is(0.5) ? replayed(this.log) : restored(this.log, this.#chance.below(this.log.length + 1));
    if (before !== undefined) sameState(before, this.durable);
    this.volatile = createVolatile();
    this.epoch += 1n;
    this.#oracle.ownerLost(this.monotonic);
    this.decide(
      (step) => decideTick(step, leaseMs),
      () => ({ kind: "begin" }),
    );
    this.commit();
  }

  /** Compares the state with what its log leads to. */
  compare(): void {
    this.#finish();
    sameState(JSON.stringify(pictureOf(this.durable), plain), replayed(this.log));
  }

  /** Writes everything, also what is said in answer to what left. */
  #finish(): void {
    do this.commit();
    while (this.#open);
  }

  #write({ now, pending }: { readonly now: number; readonly pending: readonly Pending[] }, left: boolean): void {
    const events = pending.flatMap(({ seen }) => seen.events);
    if (events.length > 0) this.log.push({ now, epoch: this.epoch, events });
    this.events += events.length;
    for (const { seen, outbox } of pending) {
      if (left) outbox.leaves(this.monotonic);
      this.#oracle.observe({ ...seen, ...contentsOf(outbox) }, left ? this.monotonic : undefined);
    }
    if (!left) return;
    for (const { outbox } of pending) {
      for (const [{ streamId }, { messages }] of outbox.frames) for (const message of messages) this.#deliver(streamId, message);
    }
  }

  #step(now: number, outbox: Outbox, events: Event[]): Step {
    return {
      durable: this.durable,
      volatile: this.volatile,
      now,
      clock: now,
      monotonic: this.monotonic,
      epoch: this.epoch,
      random: () => this.#chance.next(),
      statusOf: ({ reason, message }) => ({ $typeName: "google.rpc.Status", code: 9, message: `${reason}: ${message}`, details: [] }),
      faultOf: () => undefined,
      dayOf: () => "20260101",
      outbox,
      events,
    };
  }
}

function contentsOf({ frames, notices, ends }: Outbox): Pick<Observation, "frames" | "notices" | "ends"> {
  return {
    frames: [...frames].flatMap(([{ streamId }, { messages }]) => messages.map((message) => ({ streamId, message }))),
    notices: [...notices].flatMap(([subscriber, { messages }]) => messages.map((notice) => ({ subscriber, notice }))),
    ends,
  };
}

/** What a log leads to. */
function replayed(log: readonly Logged[], durable = createDurable()): Durable {
  for (const { now, epoch, events } of log) for (const event of events) apply(durable, event, { now, epoch });
  reindex(durable);
  return durable;
}

/** The same, from a snapshot that was made after so many of its records, and the rest of it. */
function restored(log: readonly Logged[], after: number): Durable {
  const reader = new ChunkReader();
  const restoration = new Restoration();
  const records = snapshotRecords(replayed(log.slice(0, after)), { sequence: 1, mark: new Uint8Array(1) });
  for (const chunk of snapshotChunks(records, 64 * 1024)) for (const record of reader.records(chunk)) restoration.take(record);
  return replayed(log.slice(after), restoration.finish().durable);
}

function sameState(before: string, durable: Durable): void {
  const after = JSON.stringify(pictureOf(durable), plain);
  if (before === after) return;
  let at = 0;
  while (before[at] === after[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 200), at + 100);
  promise(false, () => `replaying the log gives another state:\n  before ${around(before)}\n  after  ${around(after)}`);
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("base64")}`;
  if (value instanceof Map || value instanceof Set) return [...value];
  // A message that was read has its fields in another order than one that was made.
  if (value && typeof value === "object" && "$typeName" in value) return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return value;
}
