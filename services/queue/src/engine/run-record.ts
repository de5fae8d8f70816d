import type { Failure, Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { Environment } from "./environment.js";
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
  readonly askedAttempts: number;
  /** Attempts in total, fixed when the first one starts. */
  maxAttempts: number;
  readonly payload: Payload | undefined;
  readonly createMs: number;
  /** 0 before the first attempt. */
  startMs: number;
  /** 0 before the end. */
  finishMs: number;
  /** When the next attempt is due, in phases delayed and backoff. */
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
  /** Runs that this one triggered. */
  children: number[] | undefined;
  /** Who waits for this run. */
  waiter: Waiter | undefined;
  /** Waits of the present attempt. */
  waits: Map<number, Wait> | undefined;
  /** Answers to the commands of the present attempt, for repeats. */
  commands: Map<number, CommandAnswer> | undefined;
}

/** What most runs do not have. */
export interface RunExtras {
  /** In the order in which they came. */
  tags: readonly string[];
  /** A JSON object. */
  metadata: Payload | undefined;
  /** Preset that the trigger asked for; empty for the task's. */
  readonly askedMachine: string;
  /** Seconds that the trigger asked for; undefined: the task's. */
  readonly askedDurationSeconds: number | undefined;
  /** Milliseconds by which it counts as older than its time in the queue says. */
  readonly priorityMs: number;
  /** What a start takes of a rate limit, at least 1. */
  readonly weight: number;
  /** Names of the shared limits that the trigger asked for; undefined: the task's. */
  readonly askedLimits: readonly string[] | undefined;
}

/** What a start of the run takes of a rate limit. */
export function weightOf({ extras }: RunRecord): number {
  return extras?.weight ?? 1;
}

/** A wait of a run for others. */
export interface Wait {
  /** Numbers of the runs waited for, in the order of the items. */
  readonly children: readonly number[];
  /** How many of them are not final. */
  pending: number;
  /** The waiting run had a slot after the end, so that the results went to its worker. */
  delivered: boolean;
}

/** A run's wait, as seen from a run waited for. */
export interface Waiter {
  readonly run: number;
  readonly attempt: number;
  readonly waitId: number;
}

/** What a request or a command created: consecutive runs, with gaps for what was refused. */
export interface CreatedRuns {
  readonly first: number;
  readonly count: number;
  readonly refused: readonly RefusedAt[];
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
