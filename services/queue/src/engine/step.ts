import type { Status } from "@runlane/platform/gen/google/rpc/status_pb.js";
import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { apply } from "./apply.js";
import type { Durable } from "./durable.js";
import { effects } from "./effects.js";
import type { Outbox } from "./outbox.js";
import type { RefusalData } from "./run-record.js";
import type { Volatile } from "./volatile.js";

/**
 * What a decision works with. The engine is pure: time, randomness and every way out are given to it.
 *
 * A decision emits events one by one; each is applied before the next is decided, so that later ones see earlier ones. It may note in `volatile` what a restart may forget. It sends
 * nothing: what goes out is put into the outbox, which leaves when the batch of the events is on disk.
 */
export interface Step {
  readonly durable: Durable;
  readonly volatile: Volatile;
  /** The partition's time, in milliseconds of the Unix epoch. Never less than `durable.now`. */
  readonly now: number;
  /** The clock when the decision is made, in milliseconds of the Unix epoch, rounded up: `now` or later. What is to last for a while begins here. */
  readonly clock: number;
  /** A clock that only goes forward, in milliseconds, for leases. */
  readonly monotonic: number;
  readonly epoch: bigint;
  /** Says a refusal in the protocol's words. */
  readonly statusOf: (refusal: RefusalData) => Status;
  /** Why an item cannot be triggered; undefined if it can. */
  readonly faultOf: (item: TriggerItem) => RefusalData | undefined;
  /** The day of a time, in UTC, as YYYYMMDD: calendars are not the engine's. */
  readonly dayOf: (ms: number) => string;
  /** A random number in [0, 1). */
  readonly random: () => number;
  readonly outbox: Outbox;
  /** Events so far. */
  readonly events: Event[];
}

/** Makes an event true: applies it, notes it for the log, and puts what follows from it into the outbox. */
export function emit(step: Step, event: Event): void {
  apply(step.durable, event, step);
  step.events.push(event);
  effects(step, event);
}
