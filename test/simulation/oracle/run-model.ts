import type { Failure } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/** Where a run stands, as far as it matters to what was promised. */
export type Place =
  /** Its trigger asked for a later time. */
  | "delayed"
  /** In its queue. */
  | "queued"
  /** A short retry delay passes; it holds its slots. */
  | "backoff"
  /** A long retry delay passes; it holds none. */
  | "resting"
  /** A short retry delay has passed; it holds its slots and needs a worker. */
  | "rearmed"
  /** Given to a worker, which has not said that it takes it. */
  | "assigned"
  /** Its code runs. */
  | "executing"
  /** Its code waits for other runs. */
  | "waiting"
  /** It waited, has something to hear of, and needs its slots. */
  | "resumable"
  /** It waited when it lost its worker, and has a journal to go on from. */
  | "parked"
  /** Parked, and something that it waited for has ended: in its queue. */
  | "revived"
  /** Cancelled; its code may still run. */
  | "canceling"
  /** Cancelled while its code waited. */
  | "cancelingIdle"
  /** Nothing comes after this. */
  | "over";

/** Places in which a run holds slots of its queue and limits. */
export const holdsSlots: ReadonlySet<Place> = new Set(["backoff", "rearmed", "assigned", "executing", "canceling"]);

/** Places in which a run takes a slot of its worker. */
export const occupiesWorker: ReadonlySet<Place> = new Set(["assigned", "executing", "canceling"]);

/** Places in which a worker has the run. */
export const isWithWorker: ReadonlySet<Place> = new Set(["assigned", "executing", "waiting", "resumable", "canceling", "cancelingIdle"]);

/** A wait of a run's code for other runs, a time or a token. */
export interface WaitModel {
  readonly children: readonly number[];
  /** 0 for none. */
  readonly untilMs: number;
  /** 0 for none. */
  readonly token: number;
  /** The time has come. */
  over: boolean;
  delivered: boolean;
  /** The command in the journal that began it; 0 for none. */
  commandId: number;
  /** When it ended, and when its code was told, counted in events; 0: not so far. */
  endedAt: number;
  toldAt: number;
}

/** A call that the journal has. */
export interface EntryModel {
  /** The wait that it began; 0 for none. */
  readonly waitId: number;
  /** What a step came to; undefined for other calls, and for failures. */
  readonly text: string | undefined;
  readonly isRecord: boolean;
  /** When it was answered, counted in events. */
  readonly answeredAt: number;
}

/** A run, as the oracle knows it from the log's events. */
export interface RunModel {
  readonly number: number;
  readonly taskId: string;
  /** Queue that the trigger named; empty for the task's. */
  readonly askedQueue: string;
  queue: string;
  readonly key: string;
  readonly priorityMs: number;
  readonly weight: number;
  readonly createMs: number;
  /** When it enters, or entered, its queue. */
  queueMs: number;
  place: Place;
  attempt: number;
  askedAttempts: number;
  /** Fixed when it starts. */
  maxAttempts: number;
  version: string;
  askedVersion: string;
  askedMachine: string;
  machine: string;
  readonly askedLimits: readonly string[] | undefined;
  /** Limits that it will hold, or holds. */
  limits: readonly string[];
  /** What its start took of its queue's rates. */
  tokens: number;
  /** Seconds, 0 for no limit; undefined: the task's. */
  readonly askedTtl: number | undefined;
  /** When it expires unless it has started, fixed when it enters its queue; 0: never. */
  expireMs: number;
  /** Its payload, which a later trigger may replace. */
  data: string;
  /** What it would hold, or holds, by gate. */
  taken: readonly string[];
  session: number | undefined;
  /** Of the present attempt; undefined until the assignment was seen. */
  token: string | undefined;
  /** Number of the assignment in its session. */
  sequence: bigint | undefined;
  /** When the assignment left, on the monotonic clock; undefined until it has. */
  leftAt: number | undefined;
  retryAtMs: number;
  /** When it became ready last. */
  readyMs: number;
  started: boolean;
  /** Its attempts have a process of their own, because one died. */
  ownProcess: boolean;
  readonly parent: number;
  readonly children: number[];
  /** Runs whose code waits for this one, or did. */
  readonly waiters: Set<RunModel>;
  readonly waits: Map<number, WaitModel>;
  /** Calls of the present attempt that are on disk, by their command. */
  readonly journal: Map<number, EntryModel>;
  /** What the steps of earlier attempts returned. */
  readonly steps: string[];
  /** Its present assignment goes on from the journal. */
  resumed: boolean;
  /** Commands of the present attempt that were answered. */
  readonly commands: Map<number, string>;
  /** Empty if it collects no triggers. */
  readonly debounceKey: string;
  final: RunState | undefined;
  finalMs: number;
  failure: Failure | undefined;
}

/** Whether everybody outside takes the run for ended. */
export function isFinal(run: RunModel): boolean {
  return run.final !== undefined;
}

/** What a run is compared by within its key: the older comes first. */
export function comesBefore(a: RunModel, b: RunModel): boolean {
  const [left, right] = [a.queueMs - a.priorityMs, b.queueMs - b.priorityMs];
  return left < right || (left === right && a.number < b.number);
}
