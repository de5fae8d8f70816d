import type { NewRun, RunSettings } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { TriggerItem, TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { referenceFault } from "./decide-payload.js";
import { requestKey } from "./durable.js";
import { type Environment, queueNameOf } from "./environment.js";
import { newRun, runsCreated } from "./events.js";
import { machineFault } from "./machine.js";
import type { CreatedRuns, RefusalData, RefusedAt, RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import { newTags } from "./tags.js";

/** Runs that a queue may hold; more are refused with QUEUE_FULL. */
export const queueSizeCap = 10_000_000;

/** A request to create runs: a client's, or a command of a run's code. */
export interface TriggerRequest {
  readonly environment: Environment;
  /** Empty for none: a repeat creates again. */
  readonly requestId: string;
  readonly items: readonly TriggerItem[];
  /** The run whose code asks, and its command. */
  readonly parent?: { readonly run: RunRecord; readonly commandId: number } | undefined;
  /** Version that the runs are bound to unless they ask for one; empty or undefined: none. */
  readonly version?: string;
}

/** Creates runs, or finds those that the same request created before. */
export function decideTrigger(step: Step, request: TriggerRequest): CreatedRuns {
  const { environment, requestId, items, parent } = request;
  if (requestId) {
    const before = step.durable.requests.get(requestKey(environment.name, requestId));
    if (before) return before;
  }
  const runs: NewRun[] = [];
  const refused: RefusedAt[] = [];
  const first = step.durable.nextRun;
  for (let index = 0; index < items.length; index++) {
    const item = items[index] as TriggerItem;
    const options = item.options;
    const queue = options?.queue ?? "";
    // A client's items were checked by the scheduler; those of running code come straight from its worker.
    const fault = (parent && step.faultOf(item)) ?? referenceFault(environment, item.payload) ?? optionsFault(environment, options);
    if (fault) {
      refused.push({ index, refusal: fault });
      continue;
    }
    if (queued(environment, queue || queueNameOf(item.taskId, environment.tasks.get(item.taskId))) >= queueSizeCap) {
      refused.push({
        index,
        refusal: {
          reason: "QUEUE_FULL",
          message: `the queue of task ${item.taskId} holds ${queueSizeCap} runs, which is its cap; try again when it has drained`,
        },
      });
      continue;
    }
    runs.push(newRun(item.taskId, item.payload, queue, options?.maxAttempts ?? 0, settingsOf(options)));
  }
  emit(
    step,
    runsCreated({
      environment: environment.name,
      requestId,
      firstNumber: first,
      runs,
      refused: [...refused],
      parent: parent?.run.number ?? 0,
      commandId: parent?.commandId ?? 0,
      version: request.version ?? "",
    }),
  );
  return { first, count: runs.length, refused };
}

/** Walks the outcomes of a request in the order of its items. */
export function forEachOutcome(created: CreatedRuns, visit: (index: number, outcome: number | RefusedAt["refusal"]) => void): void {
  let number = created.first;
  let nextRefused = 0;
  for (let index = 0; index < created.count + created.refused.length; index++) {
    const refused = created.refused[nextRefused];
    if (refused?.index === index) {
      nextRefused += 1;
      visit(index, refused.refusal);
    } else {
      visit(index, number);
      number += 1;
    }
  }
}

/** Why options cannot be fulfilled here; undefined if they can. */
function optionsFault(environment: Environment, options: TriggerOptions | undefined): RefusalData | undefined {
  if (options?.version && !environment.versions.byNumber.has(options.version)) {
    return { reason: "VERSION_NOT_FOUND", message: `there is no version ${options.version.slice(0, 64)} of this environment's code` };
  }
  const fault = machineFault(options?.machine);
  return fault === undefined ? undefined : { reason: "INVALID_FIELD", message: `options.machine: ${fault}` };
}

/** What most triggers do not ask for; undefined if this one does not. */
function settingsOf(options: TriggerOptions | undefined): RunSettings | undefined {
  if (!options) return undefined;
  const { tags, metadata, machine = "", maxDurationSeconds, version = "", concurrencyKey, prioritySeconds, weight, concurrencyLimits } = options;
  const plain = tags.length === 0 && !metadata && !machine && maxDurationSeconds === undefined && !version;
  if (plain && !concurrencyKey && !prioritySeconds && !weight && !concurrencyLimits) return undefined;
  return {
    $typeName: "runlane.internal.v1.RunSettings",
    tags: newTags([], tags),
    machine,
    version,
    delayUntilMs: 0n,
    concurrencyKey,
    priorityMs: BigInt(Math.round(prioritySeconds * 1_000)),
    weight,
    test: false,
    replayOf: 0n,
    ...(metadata ? { metadata } : {}),
    ...(concurrencyLimits ? { concurrencyLimits } : {}),
    ...(maxDurationSeconds === undefined ? {} : { maxDurationSeconds }),
  };
}

/** Runs that wait in a queue. */
function queued(environment: Environment, queue: string): number {
  return environment.queues.get(queue)?.queued ?? 0;
}
