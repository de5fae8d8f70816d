import type { IdempotencySetting } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Failure, Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { Environment } from "./environment.js";
import type { Journal } from "./journal.js";
import type { Lane } from "./lane.js";
import type { LimitSlots } from "./limit-record.js";
import type { Machine } from "./machine.js";
import type { Phase } from "./phase.js";
import type { QueueRecord } from "./queue-record.js";
import type { ReadyList } from "./ready-list.js";
import type { SessionRecord } from "./session-record.js";

/** A run, as the owner keeps it. Changed by `apply` only. */
export interface RunRecord {
  /** Counts the partition's runs from 1; part of the run's id. */
  readonly number: number;
  readonly environment: Environment;
  readonly taskId: string;
  queue: QueueRecord;
  /** The trigger named the queue, so a later declaration of the task does not move the run. */
  readonly queueNamed: boolean;
  /** Its queue's runs of the same concurrency key. */
  lane: Lane;
  /** Slots of limits beside its queue's that it takes when it starts, at most three. Undefined: none. */
  slots: readonly LimitSlots[] | undefined;
  /** Its place within its key: when it entered its queue, less its priority, in milliseconds. Less is earlier; equals are ordered by number. */
  orderMs: number;
  /** What its present attempt took of its queue's rate limits. */
  tokens: number;
  /** Where it waits while it is ready. An index. */
  list: ReadyList | undefined;
  phase: Phase;
  /** Number of the present or last attempt; 0 before the first. */
  attempt: number;
  /** Attempts that the trigger asked for; 0: the task's. */
  askedAttempts: number;
  /** Attempts in total, fixed when the first one starts. */
  maxAttempts: number;
  payload: Payload | undefined;
  readonly createMs: number;
  /** When it enters, or entered, its queue: later than `createMs` if its trigger asked for a delay. */
  queueMs: number;
  /** 0 before the first attempt. */
  startMs: number;
  /** 0 before the end. */
  finishMs: number;
  /** When the next attempt is due, in phases delayed and backoff; 0 otherwise. */
  retryAtMs: number;
  /** The version that it is bound to: from the first attempt on that of its worker, before then what `askedVersion` says. Empty for none. */
  version: string;
  /** The version that its trigger asked for, or that its parent had that waits for it. Empty for none, and when its workers stayed away for too long. */
  askedVersion: string;
  /** The machine of its attempts, fixed when the first one starts; a failure for want of memory may ask for another. Undefined: none. */
  machine: Machine | undefined;
  /** Seconds that an attempt may be active, fixed when the first one starts; 0 for no limit. */
  maxDurationSeconds: number;
  /** What most runs do not have. */
  extras: RunExtras | undefined;
  /** The session that the present attempt belongs to. */
  session: SessionRecord | undefined;
  /** Owner's epoch at the assignment, and the random part of the token. */
  epoch: bigint;
  nonce: bigint;
  /** The next attempt wants a process of its own. */
  ownProcess: boolean;
  output: Payload | undefined;
  failure: Failure | undefined;
  /** 0 if it has none. */
  readonly parent: number;
  /** 0 if it has no parent. */
  readonly root: number;
  readonly depth: number;
  /** The nearest ancestor that was not final when it became known: whose cancel cancels this run, too. 0 if there is none. */
  guardian: number;
  /** Runs whose guardian this is. Those that ended stay listed. */
  children: number[] | undefined;
  /** Who waits for this run, the last that came first. */
  waiter: Waiter | undefined;
  /** It is among the finished runs that memory may forget. */
  retired: boolean;
  /** Waits of the present attempt. */
  waits: Map<number, Wait> | undefined;
  /** Answers to the commands of the present attempt, for repeats. */
  commands: Map<number, CommandAnswer> | undefined;
  /** What its code called, as far as its worker named that. */
  journal: Journal | undefined;
}

/** What most runs do not have. */
export interface RunExtras {
  /** In the order in which they came. */
  tags: readonly string[];
  /** A JSON object. */
  metadata: Payload | undefined;
  /** Preset that the trigger asked for; empty for the task's. */
  askedMachine: string;
  /** Seconds that the trigger asked for; undefined: the task's. */
  askedDurationSeconds: number | undefined;
  /** Seconds that it may be in its queue before it starts, as the trigger asked, 0 for no limit; undefined: the task's. */
  readonly askedTtlSeconds: number | undefined;
  /** The same, fixed when it enters its queue; 0 for no limit, and before. */
  ttlSeconds: number;
  /** When it expires unless it has started; 0 without a limit. */
  expireMs: number;
  /** Undefined for none. */
  readonly idempotency: IdempotencySetting | undefined;
  /** Empty if it collects no triggers. */
  readonly debounceKey: string;
  /** That of its lane. Empty for none. */
  readonly concurrencyKey: string;
  /** Milliseconds by which it counts as older in its queue. */
  readonly priorityMs: number;
  /** What a start takes of a rate limit; 0 means 1. */
  readonly weight: number;
  /** Names of the shared limits that the trigger asked for; undefined: the task's. */
  readonly askedLimits: readonly string[] | undefined;
  readonly test: boolean;
  /** Number of the run that it repeats; 0 for none. */
  readonly replayOf: number;
  /** How long its attempts that ended were active, as far as it is known, in milliseconds. */
  activeMs: number;
  /** Number of the batch that it was triggered in; 0 for none. */
  readonly batch: number;
  /** Other batches in which a key found it, once for each time. */
  foundIn: number[] | undefined;
}

/** What a start of the run takes of a rate limit. */
export function weightOf({ extras }: RunRecord): number {
  return extras?.weight || 1;
}

/** Nothing but what everybody has. */
export function createExtras(): RunExtras {
  return {
    tags: [],
    metadata: undefined,
    askedMachine: "",
    askedDurationSeconds: undefined,
    askedTtlSeconds: undefined,
    ttlSeconds: 0,
    expireMs: 0,
    idempotency: undefined,
    debounceKey: "",
    concurrencyKey: "",
    priorityMs: 0,
    weight: 0,
    askedLimits: undefined,
    test: false,
    replayOf: 0,
    activeMs: 0,
    batch: 0,
    foundIn: undefined,
  };
}

/** A wait of a run for others, for a time, or for a token. */
export interface Wait {
  /** Numbers of the runs waited for, in the order of the items. */
  readonly children: readonly number[];
  /** The time it waits for, in milliseconds of the Unix epoch; 0 for none. */
  readonly untilMs: number;
  /** Number of the token it waits for; 0 for none. */
  readonly token: number;
  /** How many of the runs are not final, or 1 until the time has come or the token has ended. */
  pending: number;
  /** The waiting run had a slot after the end, so that the results went to its worker. */
  delivered: boolean;
  /** The command that began it, if the journal has that; else 0. */
  commandId: number;
  /** Its place among the waits of the attempt that have ended; 0: it has not, or the code names no calls. */
  ended: number;
  /** It ended while no code of the attempt was there, and none has taken that so far. */
  unseen: boolean;
  /** What its token was completed with. */
  output: Payload | undefined;
  /** Nobody completed its token in time. */
  timedOut: boolean;
}

/** A run's wait, as seen from a run waited for. A list, because keys let several wait for one run. */
export interface Waiter {
  readonly run: number;
  readonly attempt: number;
  readonly waitId: number;
  readonly next: Waiter | undefined;
}

/** What a request or a command created: consecutive runs, with gaps for what was refused, and for what a key found. */
export interface CreatedRuns {
  readonly first: number;
  readonly count: number;
  readonly refused: readonly RefusedAt[];
  readonly found: readonly FoundAt[];
  /** The batch that the items belong to; undefined for none. */
  readonly batch: PartOfBatch | undefined;
}

/** An item that has a run which existed before. */
export interface FoundAt {
  readonly index: number;
  /** The run's number. */
  readonly run: number;
  /** A key found it; false if the batch had the item already. */
  readonly byKey: boolean;
}

/** What became of a part of a batch. */
export interface PartOfBatch {
  readonly number: number;
  /** Items that the batch had then. */
  readonly size: number;
  /** An idempotency key found the batch, and the items were left out. */
  readonly cached: boolean;
}

/** A refused item. */
export interface RefusedAt {
  readonly index: number;
  readonly refusal: RefusalData;
}

/** Why something was refused, as data: the engine makes no errors of any protocol. `reason` is from the catalogue of errors. */
export interface RefusalData {
  readonly reason: string;
  readonly message: string;
}

/** What was answered to a command. */
export type CommandAnswer =
  | { readonly kind: "created"; readonly created: CreatedRuns }
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly refusal: RefusalData };
