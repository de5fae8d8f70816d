import type { FoundRun, NewRun } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Debounce, DebounceMode, type IdempotencyKey, type TriggerItem, type TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { foundAt } from "./create-runs.js";
import { referenceFault } from "./decide-payload.js";
import { type Durable, requestKey } from "./durable.js";
import { debounceKeyOf, type Environment, queueNameOf } from "./environment.js";
import { failedRun, foundRun, newRun, runRescheduled, runsCreated } from "./events.js";
import { untriggeredFailure } from "./failure-state.js";
import { keysFull } from "./idempotency-keys.js";
import { machineFault } from "./machine.js";
import type { CreatedRuns, RefusalData, RefusedAt, RunRecord } from "./run-record.js";
import { delayFault, type RunOrigin, settingsOf, spanMs } from "./run-settings.js";
import { emit, type Step } from "./step.js";

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
  /** Number of the run that the one item repeats; 0 or undefined: none. */
  readonly replayOf?: number;
  /** The parent waits for the runs. */
  readonly waits?: boolean;
}

/** Where items stand in a batch. */
export interface BatchPlace {
  readonly number: number;
  /** Index in the batch of the first item. */
  readonly firstIndex: number;
  /** Runs of the items at the front that the batch has already. */
  readonly known: readonly number[];
}

/** Creates runs, or finds those that the same request created before, or that have the same keys. */
export function decideTrigger(step: Step, request: TriggerRequest): CreatedRuns {
  const { environment, requestId } = request;
  const before = requestId ? step.durable.requests.get(requestKey(environment.name, requestId)) : undefined;
  return before ?? createRunsOf(step, request, undefined);
}

/** Creates the runs of a request that did not come before. In a batch an item that cannot be triggered is a run that has failed. */
export function createRunsOf(step: Step, request: TriggerRequest, batch: BatchPlace | undefined): CreatedRuns {
  const { environment, requestId, items, parent } = request;
  const plan = new Plan(step, request, batch !== undefined);
  const known = batch?.known ?? [];
  for (let index = 0; index < items.length; index++) {
    if (index < known.length) plan.found.push(foundRun(index, known[index] as number, false));
    else plan.add(index, items[index] as TriggerItem);
  }
  emit(
    step,
    runsCreated({
      environment: environment.name,
      requestId,
      firstNumber: plan.first,
      runs: plan.runs,
      refused: plan.refused,
      found: plan.found,
      parent: parent?.run.number ?? 0,
      commandId: parent?.commandId ?? 0,
      version: request.version ?? "",
      batch: batch?.number ?? 0,
      batchIndex: batch?.firstIndex ?? 0,
    }),
  );
  const record = batch && step.durable.batches.byNumber.get(batch.number);
  return {
    first: plan.first,
    count: plan.runs.length,
    refused: plan.refused,
    found: plan.found.map(({ index, run }) => foundAt(Number(run), index, record, batch?.firstIndex ?? 0, (batch?.firstIndex ?? 0) + known.length)),
    batch: record && { number: record.number, size: record.size, cached: false },
  };
}

/** Walks the outcomes of a request in the order of its items. */
export function forEachOutcome(created: CreatedRuns, visit: (index: number, outcome: number | RefusedAt["refusal"], cached: boolean) => void): void {
  const { refused, found } = created;
  let number = created.first;
  let nextRefused = 0;
  let nextFound = 0;
  for (let index = 0; index < created.count + refused.length + found.length; index++) {
    const fault = refused[nextRefused];
    const hit = found[nextFound];
    if (fault?.index === index) {
      nextRefused += 1;
      visit(index, fault.refusal, false);
    } else if (hit?.index === index) {
      nextFound += 1;
      visit(index, hit.run, hit.byKey);
    } else {
      visit(index, number, false);
      number += 1;
    }
  }
}

/** What becomes of the items of a request. */
class Plan {
  readonly first: number;
  readonly runs: NewRun[] = [];
  readonly refused: RefusedAt[] = [];
  readonly found: FoundRun[] = [];
  readonly #step: Step;
  readonly #request: TriggerRequest;
  readonly #inBatch: boolean;
  readonly #origin: RunOrigin;
  /** Numbers of runs of this request by task and idempotency key, and by task and debounce key. */
  #keys: Map<string, number> | undefined;
  #debounces: Map<string, number> | undefined;

  constructor(step: Step, request: TriggerRequest, inBatch: boolean) {
    this.#step = step;
    this.#request = request;
    this.#inBatch = inBatch;
    this.first = step.durable.nextRun;
    this.#origin = { test: request.parent?.run.extras?.test === true, replayOf: request.replayOf ?? 0 };
  }

  /** Takes the next item. */
  add(index: number, item: TriggerItem): void {
    const { taskId, payload, options } = item;
    // A client's items were checked by the scheduler; those of running code, and of batches, come as they were sent.
    const malformed = this.#request.parent || this.#inBatch ? this.#step.faultOf(item) : undefined;
    if (malformed) return this.#refuse(index, taskId, malformed);
    const key = options?.idempotencyKey;
    if (key && this.#findKey(index, taskId, key)) return;
    const fault = this.#faultOf(item, key);
    if (fault) return this.#refuse(index, taskId, fault);
    const settings = settingsOf(options, this.#step.now, this.#origin);
    const run = newRun(taskId, payload, options?.queue ?? "", options?.maxAttempts ?? 0, settings);
    const debounce = options?.debounce;
    if (debounce && this.#collect(index, run, debounce)) return;
    const number = this.first + this.runs.length;
    if (key) (this.#keys ??= new Map()).set(`${taskId}\n${key.key}`, number);
    if (debounce) (this.#debounces ??= new Map()).set(debounceKeyOf(taskId, debounce.key), number);
    this.runs.push(run);
  }

  #refuse(index: number, taskId: string, refusal: RefusalData): void {
    if (this.#inBatch) this.runs.push(failedRun(taskId.slice(0, taskIdLength), untriggeredFailure(refusal)));
    else this.refused.push({ index, refusal });
  }

  /** Whether something has the key already, perhaps an earlier item of the same request. */
  #findKey(index: number, taskId: string, { key }: IdempotencyKey): boolean {
    const earlier = this.#keys?.get(`${taskId}\n${key}`);
    const held = earlier === undefined ? this.#request.environment.keys.find(taskId, key, this.#step.now) : undefined;
    const number = earlier ?? held?.number;
    if (number === undefined) return false;
    const { parent, waits } = this.#request;
    if (parent && waits && waitsFor(this.#step.durable, number, parent.run)) this.#refuse(index, taskId, waitCycle);
    else this.found.push(foundRun(index, number, held?.end === "completed"));
    return true;
  }

  #faultOf({ taskId, payload, options }: TriggerItem, key: IdempotencyKey | undefined): RefusalData | undefined {
    const { environment } = this.#request;
    const fault = referenceFault(environment, payload) ?? optionsFault(environment, options, this.#step.now);
    if (fault) return fault;
    if (key && !environment.keys.hasRoom(this.#keys?.size ?? 0, this.#step.now)) return keysFull;
    if (this.#queued(options?.queue || queueNameOf(taskId, environment.tasks.get(taskId))) < queueSizeCap) return undefined;
    return { reason: "QUEUE_FULL", message: `the queue of task ${taskId} holds ${queueSizeCap} runs, which is its cap; try again when it has drained` };
  }

  /** Runs that wait in a queue, those of this request among them. */
  #queued(name: string): number {
    const { queues, tasks } = this.#request.environment;
    const before = queues.get(name)?.queued ?? 0;
    if (before + this.runs.length < queueSizeCap) return before;
    return before + this.runs.filter(({ queue, taskId, failure }) => !failure && (queue || queueNameOf(taskId, tasks.get(taskId))) === name).length;
  }

  /** Whether a delayed run takes the trigger in: it is postponed, and has the new data if the trigger wants that. */
  #collect(index: number, run: NewRun, { key, mode, maxDelay }: Debounce): boolean {
    const { now } = this.#step;
    const name = debounceKeyOf(run.taskId, key);
    const earlier = this.#debounces?.get(name);
    if (earlier !== undefined) {
      const first = this.runs[earlier - this.first] as NewRun;
      if (mode === DebounceMode.TRAILING) takeData(first, run);
      if (first.settings && run.settings) first.settings.delayUntilMs = run.settings.delayUntilMs;
      this.found.push(foundRun(index, earlier, false));
      return true;
    }
    const open = this.#request.environment.debounces.get(name);
    // One that is due was about to enter its queue.
    if (open?.phase !== "deferred" || open.queueMs <= now) return false;
    const dueMs = Number(run.settings?.delayUntilMs ?? 0n);
    if (maxDelay && dueMs > open.createMs + spanMs(maxDelay)) return false;
    emit(this.#step, runRescheduled(open, dueMs, mode === DebounceMode.TRAILING ? run : undefined));
    this.found.push(foundRun(index, open.number, false));
    return true;
  }
}

/** Why nobody waits for a run that waits for itself. */
const waitCycle: RefusalData = {
  reason: "WAIT_CYCLE",
  message: "the idempotency key found a run that waits for this one, or is this one: they would wait for each other for ever",
};

/** Whether a run waits for another, perhaps for one that waits for it; or is it. */
function waitsFor({ runs }: Durable, number: number, target: RunRecord): boolean {
  const seen = new Set<number>();
  const stack = [number];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next === target.number) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    for (const wait of runs.get(next)?.waits?.values() ?? []) if (wait.pending > 0) stack.push(...wait.children);
  }
  return false;
}

/** Characters of a task id. What is longer is cut where a run must show it. */
const taskIdLength = 128;

/** Gives a run that does not exist so far the data of a later trigger. */
function takeData(run: NewRun, { payload, maxAttempts, settings }: NewRun): void {
  run.payload = payload;
  run.maxAttempts = maxAttempts;
  if (!run.settings || !settings) return;
  run.settings.tags = settings.tags;
  run.settings.metadata = settings.metadata;
  run.settings.machine = settings.machine;
  run.settings.maxDurationSeconds = settings.maxDurationSeconds;
}

/** Why options cannot be fulfilled here; undefined if they can. */
function optionsFault(environment: Environment, options: TriggerOptions | undefined, nowMs: number): RefusalData | undefined {
  if (options?.version && !environment.versions.byNumber.has(options.version)) {
    return { reason: "VERSION_NOT_FOUND", message: `there is no version ${options.version.slice(0, 64)} of this environment's code` };
  }
  const tooLong = options && delayFault(options, nowMs);
  if (tooLong) return { reason: "INVALID_FIELD", message: `options.delay_until: ${tooLong}` };
  const fault = machineFault(options?.machine);
  return fault === undefined ? undefined : { reason: "INVALID_FIELD", message: `options.machine: ${fault}` };
}
