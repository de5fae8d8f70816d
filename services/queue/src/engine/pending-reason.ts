import { PendingReason } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { flowIsOpen } from "./flow.js";
import { laneIsOpen } from "./lane.js";
import { type LimitSlots, limitIsOpen, slotsAreOpen } from "./limit-record.js";
import { queueIsOpen } from "./queue-record.js";
import { rateHoldOf } from "./rates.js";
import { freeSlots } from "./room.js";
import type { RunRecord } from "./run-record.js";
import { fits, isLargeEnough } from "./session-record.js";
import { startsRuns } from "./version-record.js";
import type { Volatile } from "./volatile.js";
import type { WaitToken } from "./wait-token.js";

/** Why a run does not execute at `nowMs`: the reason that is nearest to the run, so that what it names has to change first. */
export function pendingReasonOf(volatile: Volatile, run: RunRecord, nowMs: number): PendingReason {
  switch (run.phase) {
    case "deferred":
      return PendingReason.DELAYED_BY_TRIGGER;
    case "delayed":
    case "backoff":
      return PendingReason.DELAYED_UNTIL;
    case "waiting":
    case "parked":
      return waitedFor(run);
    case "resumable": {
      const held = heldUpBy(run, nowMs);
      if (held !== undefined) return held;
      return run.session && !fits(run.session, run.machine) ? PendingReason.WORKER_CAPACITY : PendingReason.PLACING;
    }
    case "assigned":
      return PendingReason.PLACING;
    case "revived":
      return heldUpBy(run, nowMs) ?? withoutWorker(volatile, run);
    case "queued":
      if (!run.environment.tasks.has(run.taskId)) return PendingReason.UNKNOWN_TASK;
      if (!run.queue.known) return PendingReason.UNKNOWN_QUEUE;
      return heldUpBy(run, nowMs) ?? withoutWorker(volatile, run);
    case "rearmed":
      return withoutWorker(volatile, run);
    default:
      return PendingReason.UNSPECIFIED;
  }
}

/** What a run's code waits for: of several waits, what the first open one is for. */
function waitedFor({ waits }: RunRecord): PendingReason {
  for (const { pending, untilMs, token } of waits?.values() ?? []) {
    if (pending === 0) continue;
    if (token > 0) return PendingReason.WAITING_FOR_TOKEN;
    return untilMs > 0 ? PendingReason.WAITING_FOR_TIME : PendingReason.WAITING_FOR_RUNS;
  }
  return PendingReason.WAITING_FOR_RUNS;
}

/** The token that it waits for: of several, that of the first open wait; undefined if there is none. */
export function awaitedToken({ waits, environment }: RunRecord): WaitToken | undefined {
  for (const { pending, token } of waits?.values() ?? []) if (pending > 0 && token > 0) return environment.tokens.byNumber.get(token);
  return undefined;
}

/** When the first wait for a time ends, of those that are open; 0 if there is none. */
export function waitedUntil({ waits }: RunRecord): number {
  let first = 0;
  for (const { pending, untilMs } of waits?.values() ?? []) if (pending > 0 && untilMs > 0 && (first === 0 || untilMs < first)) first = untilMs;
  return first;
}

/** What has no slot for a run that needs one of everything. */
function heldUpBy(run: RunRecord, nowMs: number): PendingReason | undefined {
  const { environment, queue, lane, slots, list } = run;
  if (environment.flow.paused) return PendingReason.ENVIRONMENT_PAUSED;
  if (queue.paused) return PendingReason.QUEUE_PAUSED;
  if (slots?.some(({ limit }) => limit.paused)) return PendingReason.CONCURRENCY_LIMIT_PAUSED;
  if (list && !list.runs.isFirst(run)) return PendingReason.BEHIND_OTHERS;
  if (!laneIsOpen(lane)) return lane.key === "" ? PendingReason.QUEUE_LIMIT : PendingReason.CONCURRENCY_KEY_LIMIT;
  if (queue.totalLimit !== undefined && queue.held >= queue.totalLimit) return PendingReason.QUEUE_TOTAL_LIMIT;
  if (closedSlotsOf(run)) return PendingReason.CONCURRENCY_LIMIT;
  if (!flowIsOpen(environment.flow) || !queueIsOpen(queue)) return PendingReason.ENVIRONMENT_LIMIT;
  if (run.phase === "queued" && rateHoldOf(run, nowMs)) return PendingReason.RATE_LIMIT;
  return undefined;
}

/** The slots of a limit that a run waits for; undefined if none are missing. */
export function closedSlotsOf({ slots }: RunRecord): LimitSlots | undefined {
  return slots?.find((each) => !limitIsOpen(each.limit) || !slotsAreOpen(each));
}

function withoutWorker(volatile: Volatile, run: RunRecord): PendingReason {
  let connected = false;
  let ofVersion = false;
  let large = false;
  let room = false;
  for (const connection of volatile.connections.values()) {
    const { session } = connection;
    if (!connection.open || session.environment !== run.environment || !connection.tasks.has(run.taskId)) continue;
    connected = true;
    if (run.version ? session.version !== run.version : !startsRuns(run.environment, session.version)) continue;
    ofVersion = true;
    if (!isLargeEnough(session, run.machine)) continue;
    large = true;
    room ||= freeSlots(connection) > 0 && fits(session, run.machine);
  }
  if (!connected) return run.version ? PendingReason.NO_WORKER_OF_VERSION : PendingReason.NO_WORKER;
  if (!ofVersion) return PendingReason.NO_WORKER_OF_VERSION;
  if (!large) return PendingReason.NO_MACHINE;
  return room ? PendingReason.PLACING : PendingReason.WORKER_CAPACITY;
}
