import type { NewRun, RunRescheduled, RunsCreated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type BatchPart, type Debounce, DebounceMode, RunState, type TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { enter } from "./attempts.js";
import type { BatchModel } from "./batch-model.js";
import type { Following } from "./follow.js";
import { numberOfId } from "./id.js";
import type { Model } from "./model.js";
import { isFinal, type RunModel } from "./run-model.js";
import { promise } from "./violation.js";
import { endedWaits } from "./wait-model.js";

/** How long an idempotency key is kept whose trigger does not say. */
const keyMs = 30 * 24 * 3_600_000;

/** What asks for runs. */
interface Asked {
  readonly items: readonly TriggerItem[];
  readonly parent: RunModel | undefined;
  /** The parent's code waits for them. */
  readonly waits: boolean;
  readonly part: BatchPart | undefined;
}

/** What a trigger comes to, by what was promised of keys. */
type Fate =
  | { readonly kind: "created" }
  /** An idempotency key has a run. */
  | { readonly kind: "held"; readonly run: RunModel }
  /** A delayed run takes it in. */
  | { readonly kind: "collected"; readonly run: RunModel; readonly debounce: Debounce }
  | { readonly kind: "refused"; readonly reason: string };

/** Runs are created for a request, or for a command of running code: each of its items has come to what was promised, and nothing else. */
export function createRuns(following: Following, event: RunsCreated): void {
  const { model, grounds, seen } = following;
  const asked = askedBy(following, event);
  const { items, parent } = asked;
  promise(Number(event.firstNumber) === model.nextRun, () => `the next run is ${event.firstNumber}, not ${model.nextRun}`);
  const total = event.runs.length + event.found.length + event.refused.length;
  promise(total === items.length, () => `${items.length} items came to ${total}`);
  const batch = event.batch ? batchFor(model, event, asked) : undefined;
  const runs = [...event.runs];
  const found = [...event.found];
  const refused = [...event.refused];
  const told: string[] = [];
  /** What runs are to be that items of this request made, or were collected in, as far as a later item changes it. */
  const awaited = new Map<RunModel, { dueMs: number; data: string }>();
  const gone = new Set(grounds.moved.keys());
  items.forEach((item, index) => {
    const hit = found[0]?.index === index ? found.shift() : undefined;
    const fault = refused[0]?.index === index ? refused.shift() : undefined;
    const known = batch?.items[event.batchIndex + index];
    if (known) {
      promise(Number(hit?.run) === known.run, () => `item ${index} of batch ${batch?.number} was run ${known.run}, and comes to ${hit?.run}`);
      told.push(wordOf(known.run, known.cached));
      return;
    }
    const fate = fateOf(model, item, asked, seen.now);
    const what = `item ${index} (task ${item.taskId}, key "${item.options?.idempotencyKey?.key ?? ""}", debounce "${item.options?.debounce?.key ?? ""}")`;
    if (fate.kind === "held" || fate.kind === "collected") {
      const { run } = fate;
      promise(Number(hit?.run) === run.number, () => `${what} finds ${hit ? `run ${hit.run}` : "nothing"}, and run ${run.number} (${run.place}) has its key`);
      const completed = fate.kind === "held" && run.final === RunState.COMPLETED;
      promise(hit?.completed === completed, () => `${what} finds run ${run.number} (${run.place}) as ${hit?.completed ? "" : "not "}completed`);
      if (fate.kind === "collected") {
        gone.delete(run);
        const before = awaited.get(run)?.data ?? grounds.moved.get(run) ?? run.data;
        const data = fate.debounce.mode === DebounceMode.TRAILING ? dataOf(item) : before;
        awaited.set(run, { dueMs: seen.now + spanOf(fate.debounce.delay), data });
      }
      told.push(wordOf(run.number, true));
      batch?.items.push({ run: run.number, cached: true, untriggered: false });
      return;
    }
    promise(hit === undefined, () => `${what} finds run ${hit?.run}, which has not its key (any more)`);
    const made = fault ? undefined : runs.shift();
    if (fate.kind === "refused") {
      const reason = made ? made.failure?.name : fault?.refusal?.reason;
      promise(reason === fate.reason, () => `${what} comes to ${reason || "a run"}, not to ${fate.reason}`);
      promise((made !== undefined) === (batch !== undefined), () => `${what} is refused otherwise than items of batches are`);
      if (!made) {
        told.push(fate.reason);
        return;
      }
    }
    promise(made !== undefined, () => `${what} is refused: ${fault?.refusal?.reason}`);
    promise((made.failure !== undefined) === (fate.kind === "refused"), () => `${what} fails, and nothing is wrong with it`);
    const run = newRun(model, made, event, seen.now);
    if (fate.kind === "refused") {
      run.final = RunState.SYSTEM_FAILURE;
      run.finalMs = seen.now;
      run.place = "over";
    } else {
      awaited.set(run, { dueMs: dueOf(item, seen.now), data: dataOf(item) });
      promise(asIs(made, event) === asAsked(item, event, seen.now), () => `${what} becomes ${asIs(made, event)}, not ${asAsked(item, event, seen.now)}`);
      start(model, run, item, seen.now);
    }
    model.runs.set(run.number, run);
    model.nextRun += 1;
    parent?.children.push(run.number);
    told.push(wordOf(run.number, false));
    batch?.items.push({ run: run.number, cached: false, untriggered: fate.kind === "refused" });
  });
  const [stray] = gone;
  promise(stray === undefined, () => `run ${stray?.number} is postponed, and no trigger was collected in it`);
  for (const [run, { dueMs, data }] of awaited) {
    promise(run.queueMs === dueMs, () => `run ${run.number} enters its queue ${run.queueMs - dueMs} ms after the time that its last trigger asked for`);
    promise(run.data === data, () => `run ${run.number} has the data ${run.data}, not ${data}`);
  }
  grounds.moved.clear();
  model.outcomes.set(parent ? `${parent.token} ${event.commandId}` : event.requestId, told.join());
}

/** A delayed run has another time: somebody asked for it, or it takes a trigger in. */
export function rescheduled({ model, seen, grounds }: Following, { run: number, dueMs, replacement }: RunRescheduled): void {
  const run = model.run(number);
  const { now, cause } = seen;
  promise(run.place === "delayed" && run.queueMs > now, () => `run ${run.number} (${run.place}) gets another time, and is not delayed (any more)`);
  if (cause.kind === "reschedule") {
    promise(cause.run === run.number && !replacement, () => `run ${run.number} gets another time, and run ${cause.run} was to`);
    promise(Number(dueMs) === cause.dueMs, () => `run ${run.number} is to enter its queue at ${dueMs}, not at ${cause.dueMs}`);
  } else {
    promise(run.debounceKey !== "", () => `run ${run.number} gets another time, and collects nothing`);
    if (!grounds.moved.has(run)) grounds.moved.set(run, run.data);
  }
  if (replacement) {
    run.data = textOf(replacement);
    run.askedAttempts = replacement.maxAttempts;
    run.askedMachine = replacement.settings?.machine ?? "";
  }
  run.queueMs = Math.max(Number(dueMs), now);
  if (run.queueMs > now) return;
  model.follow(run);
  enter(model, run, now);
}

/** Why a part of a batch cannot be taken; undefined if it can. */
export function partFault(model: Model, part: BatchPart, items: number): string | undefined {
  if (part.batchId === "") return undefined;
  const batch = model.batches.get(numberOfId(part.batchId));
  if (!batch) return "BATCH_NOT_FOUND";
  if (part.firstIndex > batch.items.length) return "INVALID_FIELD";
  return part.firstIndex + items > batch.items.length && batch.state !== "open" ? "BATCH_SEALED" : undefined;
}

/** What a caller hears of an item. */
export function wordOf(run: number, cached: boolean): string {
  return cached ? `${run}, which was there` : `${run}`;
}

function askedBy({ model, seen, grounds }: Following, event: RunsCreated): Asked {
  const { cause } = seen;
  const parent = event.parent ? model.run(event.parent) : undefined;
  if (!parent) {
    const asked = (cause.kind === "trigger" || cause.kind === "batch") && cause.requestId === event.requestId;
    promise(asked, () => "runs are created, and nobody asked for them");
    return { items: cause.items, parent, waits: false, part: cause.kind === "batch" ? cause.part : undefined };
  }
  const asked = grounds.commands.get(parent)?.find(({ commandId }) => commandId === event.commandId)?.command;
  const triggers = (asked?.case === "trigger" || asked?.case === "triggerAndWait") && !isFinal(parent);
  promise(triggers, () => `runs are created for a command of run ${parent.number} that it did not give`);
  promise(!parent.commands.has(event.commandId), () => `command ${event.commandId} of run ${parent.number} is answered twice`);
  parent.commands.set(event.commandId, "created");
  return { items: asked.value.items, parent, waits: asked.case === "triggerAndWait", part: asked.value.batch };
}

function batchFor(model: Model, event: RunsCreated, { part, items }: Asked): BatchModel {
  const batch = model.batches.get(Number(event.batch));
  promise(batch !== undefined && part !== undefined, () => `batch ${event.batch} gets items that nobody sent to it`);
  promise(part.batchId === "" || numberOfId(part.batchId) === batch.number, () => `items for ${part.batchId} come into batch ${batch.number}`);
  promise(event.batchIndex === part.firstIndex, () => `items ${part.firstIndex} … come to index ${event.batchIndex} of batch ${batch.number}`);
  const fault = partFault(model, part, items.length);
  promise(fault === undefined, () => `batch ${batch.number}, which is ${batch.state} and has ${batch.items.length} items, takes a part: ${fault}`);
  return batch;
}

function fateOf(model: Model, { taskId, options }: TriggerItem, { parent, waits }: Asked, now: number): Fate {
  const held = options?.idempotencyKey && model.keys.holder(taskId, options.idempotencyKey.key, now);
  if (held && waits && parent && waitsFor(model, held, parent)) return { kind: "refused", reason: "WAIT_CYCLE" };
  if (held) return { kind: "held", run: held };
  if (options?.version && !model.versions.has(options.version)) return { kind: "refused", reason: "VERSION_NOT_FOUND" };
  const debounce = options?.debounce;
  const run = debounce && model.keys.collecting(taskId, debounce.key, now);
  const last = run && debounce?.maxDelay ? run.createMs + spanOf(debounce.maxDelay) : Number.POSITIVE_INFINITY;
  return run && now + spanOf(debounce?.delay) <= last ? { kind: "collected", run, debounce: debounce as Debounce } : { kind: "created" };
}

/** Whether a run waits for another, perhaps for one that waits for it; or is it. */
function waitsFor(model: Model, run: RunModel, target: RunModel, seen = new Set<RunModel>()): boolean {
  if (run === target) return true;
  if (seen.has(run)) return false;
  seen.add(run);
  const ended = new Set(endedWaits(model, run));
  return [...run.waits].some(
    ([id, { children, delivered }]) => !delivered && !ended.has(id) && children.some((child) => waitsFor(model, model.run(child), target, seen)),
  );
}

/** A run begins its life, and has its keys. */
function start(model: Model, run: RunModel, { options }: TriggerItem, now: number): void {
  model.follow(run);
  const key = options?.idempotencyKey;
  if (key) model.keys.hold(run, key.key, now + (key.ttl ? spanOf(key.ttl) : keyMs));
  if (run.queueMs <= now) return enter(model, run, now);
  if (options?.debounce) model.keys.collect(run, options.debounce.key);
  model.move(run, "delayed", now);
}

function dueOf({ options }: TriggerItem, now: number): number {
  const delay = options?.debounce?.delay ?? (options?.delay.case === "delayFor" ? options.delay.value : undefined);
  return now + spanOf(delay);
}

/** A span in milliseconds. */
export function spanOf(span: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  return span ? Number(span.seconds) * 1_000 + Math.ceil(span.nanos / 1e6) : 0;
}

/** What later items of its request change: its time, and its data. */
function asIs({ taskId, queue, settings }: NewRun, { version }: RunsCreated): string {
  const { idempotency, debounce, concurrencyLimits } = settings ?? {};
  const key = idempotency ? `${idempotency.key} until ${idempotency.expireMs}` : "";
  const flow = [settings?.concurrencyKey ?? "", settings?.priorityMs ?? 0, settings?.weight ?? 0, concurrencyLimits?.names.join("+") ?? "the task's"];
  return [taskId, queue, settings?.version || version, settings?.ttlSeconds ?? "the task's", key, debounce?.key ?? "", ...flow].join("/");
}

function asAsked({ taskId, options }: TriggerItem, { version }: RunsCreated, now: number): string {
  const { idempotencyKey, debounce, concurrencyLimits } = options ?? {};
  const key = idempotencyKey ? `${idempotencyKey.key} until ${now + (idempotencyKey.ttl ? spanOf(idempotencyKey.ttl) : keyMs)}` : "";
  const priority = (options?.prioritySeconds ?? 0) * 1_000;
  const flow = [options?.concurrencyKey ?? "", priority, options?.weight ?? 0, concurrencyLimits?.names.join("+") ?? "the task's"];
  return [taskId, options?.queue ?? "", options?.version || version, options?.ttlSeconds ?? "the task's", key, debounce?.key ?? "", ...flow].join("/");
}

/** What a debounced run has of its first or its last trigger, in a word. */
function dataOf({ payload, options }: TriggerItem): string {
  return `${payload ? Buffer.from(payload.data).toString("hex") : ""} ${options?.maxAttempts ?? 0} ${options?.machine ?? ""}`;
}

function textOf({ payload, maxAttempts, settings }: NewRun): string {
  return `${payload ? Buffer.from(payload.data).toString("hex") : ""} ${maxAttempts} ${settings?.machine ?? ""}`;
}

function newRun(model: Model, item: NewRun, event: RunsCreated, now: number): RunModel {
  const { taskId, queue, maxAttempts, settings } = item;
  const version = settings?.version || event.version;
  return {
    number: model.nextRun,
    taskId,
    askedQueue: queue,
    queue: queue || model.queueOf(taskId),
    key: settings?.concurrencyKey ?? "",
    priorityMs: Number(settings?.priorityMs ?? 0n),
    weight: settings?.weight || 1,
    createMs: now,
    queueMs: Math.max(now, Number(settings?.delayUntilMs ?? 0n)),
    // Nowhere: it is put into its place at once.
    place: "delayed",
    attempt: 0,
    askedAttempts: maxAttempts,
    maxAttempts,
    version,
    askedVersion: version,
    askedMachine: settings?.machine ?? "",
    machine: "",
    askedLimits: settings?.concurrencyLimits?.names,
    limits: [],
    tokens: 0,
    askedTtl: settings?.ttlSeconds,
    expireMs: 0,
    data: textOf(item),
    debounceKey: settings?.debounce?.key ?? "",
    taken: [],
    session: undefined,
    token: undefined,
    sequence: undefined,
    leftAt: undefined,
    retryAtMs: 0,
    readyMs: 0,
    started: false,
    ownProcess: false,
    parent: Number(event.parent),
    children: [],
    waiters: new Set(),
    waits: new Map(),
    journal: new Map(),
    steps: [],
    resumed: false,
    commands: new Map(),
    final: undefined,
    finalMs: 0,
    failure: undefined,
  };
}
