import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { ExplainRunResponse } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { currentOf } from "./bound.js";
import { capacityOf } from "./flow.js";
import { keyLimitOf, limitIsOpen } from "./limit-record.js";
import { awaitedToken, closedSlotsOf, pendingReasonOf, waitedUntil } from "./pending-reason.js";
import { rateHoldOf } from "./rates.js";
import { tokenIdOf } from "./run-id.js";
import type { RunRecord } from "./run-record.js";
import { runMessageOf, stateOf } from "./view.js";
import type { Volatile } from "./volatile.js";

/** What binds a run, as far as it can be told in figures. */
interface Binding {
  readonly message: string;
  readonly remedy: string;
  readonly subject?: string | undefined;
  readonly limit?: number | undefined;
  readonly held?: number | undefined;
  readonly dueMs?: number | undefined;
}

/** Says why a run does not execute at `nowMs`, where it stands, and what would release it. Costs as much as its key has runs that are ready. */
export function explain(volatile: Volatile, run: RunRecord, nowMs: number): ExplainRunResponse {
  const { payload: _payload, output: _output, ...message } = runMessageOf(volatile, run, nowMs);
  const reason = message.pendingReason;
  const { subject, limit, held, dueMs, ...words } = bindingOf(volatile, run, reason, nowMs);
  return {
    $typeName: "runlane.v1.ExplainRunResponse",
    run: message,
    reason,
    message: words.message,
    remedy: words.remedy,
    position: BigInt(positionOf(run)),
    subject: subject ?? "",
    ...(limit !== undefined && { limit }),
    ...(held !== undefined && { held }),
    ...(dueMs !== undefined && { dueTime: timestampFromMs(dueMs) }),
  };
}

/** A run's place among the queued runs of its queue and key, the next being 1; 0 if it is not among them. */
export function positionOf(run: RunRecord): number {
  if (run.phase !== "queued") return 0;
  let position = 1;
  for (const list of run.lane.lists) {
    if (list.line.need.kind !== "start") continue;
    position += list.runs.countBefore(run, (other) => other.list === list);
  }
  return position;
}

function bindingOf(volatile: Volatile, run: RunRecord, reason: PendingReason, nowMs: number): Binding {
  const { environment, queue, lane, taskId } = run;
  const { flow } = environment;
  switch (reason) {
    case PendingReason.UNSPECIFIED:
      return { message: `The run is ${RunState[stateOf(run)]}.`, remedy: "" };
    case PendingReason.UNKNOWN_TASK:
      return { message: `No worker has declared task ${taskId}.`, remedy: "Start a worker that has the task, or check its id.", subject: taskId };
    case PendingReason.UNKNOWN_QUEUE:
      return {
        message: `No worker has declared queue ${queue.name}, which the trigger named.`,
        remedy: "Start a worker whose code declares the queue, or check its name.",
        subject: queue.name,
      };
    case PendingReason.DELAYED_BY_TRIGGER:
    case PendingReason.DELAYED_UNTIL: {
      const what = reason === PendingReason.DELAYED_UNTIL ? "The delay before its next attempt passes." : "Its trigger asked for a delay.";
      return { message: what, remedy: "Wait until it is due.", dueMs: run.retryAtMs || run.queueMs };
    }
    case PendingReason.ENVIRONMENT_PAUSED:
      return { message: `Environment ${environment.name} is paused.`, remedy: "Resume the environment.", subject: environment.name };
    case PendingReason.QUEUE_PAUSED:
      return { message: `Queue ${queue.name} is paused.`, remedy: `Resume the queue: runlane queues resume ${queue.name}`, subject: queue.name };
    case PendingReason.CONCURRENCY_LIMIT_PAUSED: {
      const name = run.slots?.find(({ limit }) => limit.paused)?.limit.name ?? "";
      return { message: `Limit ${name}, which it holds while it executes, is paused.`, remedy: "Resume the limit.", subject: name };
    }
    case PendingReason.BEHIND_OTHERS:
      return behindOthers(volatile, run, nowMs);
    case PendingReason.QUEUE_LIMIT:
    case PendingReason.CONCURRENCY_KEY_LIMIT: {
      const limit = currentOf(queue.keyLimit);
      const whose = lane.key === "" ? `Queue ${queue.name}` : `Key ${lane.key} of queue ${queue.name}`;
      return {
        message: `${whose} has ${lane.held} of ${limit} runs executing.`,
        remedy: "Wait until one of them ends, or raise the queue's limit.",
        subject: queue.name,
        limit,
        held: lane.held,
      };
    }
    case PendingReason.QUEUE_TOTAL_LIMIT:
      return {
        message: `Queue ${queue.name} has ${queue.held} of ${queue.totalLimit} runs executing, over all its keys.`,
        remedy: "Wait until one of them ends, or declare a higher total limit.",
        subject: queue.name,
        limit: queue.totalLimit,
        held: queue.held,
      };
    case PendingReason.CONCURRENCY_LIMIT:
      return boundByLimit(run);
    case PendingReason.ENVIRONMENT_LIMIT:
      return boundByEnvironment(run);
    case PendingReason.RATE_LIMIT: {
      const { ofKey, dueMs } = rateHoldOf(run, nowMs) ?? { ofKey: false, dueMs: nowMs };
      return {
        message: `The rate limit of ${ofKey && lane.key !== "" ? `key ${lane.key} of ` : ""}queue ${queue.name} allows its start later.`,
        remedy: "Wait until it is due, or declare a higher rate.",
        subject: queue.name,
        dueMs,
      };
    }
    case PendingReason.NO_WORKER:
      return { message: `No connected worker has task ${taskId}.`, remedy: "Start a worker that has the task.", subject: taskId };
    case PendingReason.NO_WORKER_OF_VERSION: {
      const version = run.version || environment.versions.current?.version || "";
      return { message: `No connected worker of version ${version} has task ${taskId}.`, remedy: `Start a worker of version ${version}.`, subject: version };
    }
    case PendingReason.NO_MACHINE: {
      const machine = run.machine?.name ?? "";
      return { message: `No connected worker is large enough for machine ${machine}.`, remedy: "Start a larger worker.", subject: machine };
    }
    case PendingReason.WORKER_CAPACITY:
      return { message: "All workers that could execute it are full.", remedy: "Wait until a worker has room, or start more workers.", subject: taskId };
    case PendingReason.WAITING_FOR_RUNS:
      return { message: "Its code waits for other runs.", remedy: "Wait until these end." };
    case PendingReason.WAITING_FOR_TIME:
      return { message: "Its code waits for a time.", remedy: "Wait until it has come.", dueMs: waitedUntil(run) };
    case PendingReason.WAITING_FOR_TOKEN: {
      const token = awaitedToken(run);
      const id = token ? tokenIdOf(environment, token.number) : "";
      return {
        message: `Its code waits for token ${id}.`,
        remedy: `Complete the token: runlane tokens complete ${id}`,
        subject: id,
        dueMs: token?.timeoutMs || undefined,
      };
    }
    default:
      return { message: `Nothing holds it up (environment ${environment.name} has ${flow.held} runs executing).`, remedy: "It starts at once." };
  }
}

/** The first of its key says what both wait for. */
function behindOthers(volatile: Volatile, run: RunRecord, nowMs: number): Binding {
  const first = run.list?.runs.peek();
  const before = positionOf(run) - 1;
  const key = run.lane.key === "" ? "" : ` and key ${run.lane.key}`;
  const others = before === 1 ? "1 run" : `${before} runs`;
  const binding = first && first.number !== run.number ? bindingOf(volatile, first, pendingReasonOf(volatile, first, nowMs), nowMs) : undefined;
  return {
    message: `${others} of queue ${run.queue.name}${key} ${before === 1 ? "is" : "are"} before it.${binding ? ` Of the first: ${binding.message}` : ""}`,
    remedy: binding?.remedy ?? "Wait for its turn.",
    subject: run.queue.name,
  };
}

function boundByLimit(run: RunRecord): Binding {
  const slots = closedSlotsOf(run);
  if (!slots) return { message: "A limit that it holds while it executes was reached.", remedy: "It starts at once." };
  const { limit, key } = slots;
  const remedy = "Wait until one of them ends, or raise the limit.";
  if (!limitIsOpen(limit)) {
    const total = currentOf(limit.total);
    return { message: `Limit ${limit.name} is held by ${limit.held} of ${total} runs.`, remedy, subject: limit.name, limit: total, held: limit.held };
  }
  const most = keyLimitOf(limit, key);
  const whose = key === "" ? "runs without a concurrency key" : `runs of key ${key}`;
  return { message: `Limit ${limit.name} is held by ${slots.held} of ${most} ${whose}.`, remedy, subject: limit.name, limit: most, held: slots.held };
}

function boundByEnvironment({ environment, queue }: RunRecord): Binding {
  const { flow, name } = environment;
  const remedy = "Wait until one of them ends, or raise the environment's limit.";
  const most = capacityOf(flow) ?? 0;
  if (flow.held >= most) {
    return { message: `Environment ${name} has ${flow.held} of ${most} runs executing.`, remedy, subject: name, limit: most, held: flow.held };
  }
  const message = `Queue ${queue.name} has ${queue.held} runs executing; of environment ${name} one queue may have ${flow.limit}.`;
  return { message, remedy, subject: name, limit: flow.limit, held: queue.held };
}
