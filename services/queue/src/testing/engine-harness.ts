import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { FailureKind } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import {
  type BatchOutcome,
  BatchPartSchema,
  DebounceMode,
  DebounceSchema,
  type TriggerItem,
  TriggerItemSchema,
} from "@runlane/platform/gen/runlane/v1/run_pb.js";
import {
  type Assignment,
  type ConcurrencyLimitDeclarationSchema,
  type HeldAttempt,
  HelloSchema,
  type QueueDeclarationSchema,
  type TaskDeclarationSchema,
  type WorkRequest,
  WorkRequestSchema,
  type WorkResponse,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { apply } from "../engine/apply.js";
import { decideBatchPart } from "../engine/decide-batch.js";
import { decideFrame } from "../engine/decide-frame.js";
import { decideHello } from "../engine/decide-hello.js";
import { decideTick } from "../engine/decide-tick.js";
import { decideTrigger, forEachOutcome } from "../engine/decide-trigger.js";
import { createDurable, type Durable } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";
import { environmentCreated } from "../engine/events.js";
import { Outbox } from "../engine/outbox.js";
import type { BacklogOptions } from "../engine/packed-runs.js";
import { place } from "../engine/place.js";
import { reindex } from "../engine/reindex.js";
import type { CreatedRuns, RunRecord } from "../engine/run-record.js";
import { emit, type Step } from "../engine/step.js";
import { batchOutcomeOf } from "../engine/view-batch.js";
import { type Connection, createVolatile, type Volatile } from "../engine/volatile.js";
import { dayOf } from "../owner/clock.js";

/** Lease of the sessions that the harness opens, in milliseconds. */
export const leaseMs = 10_000;

/** The engine with a clock and a log in memory: what tests drive it by. */
export class EngineHarness {
  durable: Durable;
  volatile: Volatile = createVolatile();
  readonly log: { now: number; epoch: bigint; events: Event[] }[] = [];
  now = Date.UTC(2026, 0, 1);
  monotonic = 0;
  epoch = 1n;
  /** What a restart makes of the log. Default: it is replayed from its beginning. */
  recover: (log: EngineHarness["log"]) => Durable = (log) => replayed(log, createDurable(this.#backlog));
  /** Nothing can be written, and so nothing leaves. */
  logIsAway = false;
  readonly #heldBack: Outbox[] = [];
  readonly #workers: HarnessWorker[] = [];
  readonly #backlog: BacklogOptions | undefined;
  #seed: number;
  #streams = 0;

  /** `backlog`: how a long one is kept. Default: as in a server, so that nothing here is long. */
  constructor(seed = 1, backlog?: BacklogOptions) {
    this.#seed = seed;
    this.#backlog = backlog;
    this.durable = createDurable(backlog);
    this.step((step) => emit(step, environmentCreated("dev", "test")));
  }

  get environment(): Environment {
    return this.durable.environments.get("dev") as Environment;
  }

  /** Makes a decision and closes its batch. */
  step(decision: (step: Step) => void): Outbox {
    const step: Step = {
      durable: this.durable,
      volatile: this.volatile,
      now: Math.max(this.now, this.durable.now),
      clock: Math.max(this.now, this.durable.now),
      monotonic: this.monotonic,
      epoch: this.epoch,
      random: () => this.random(),
      statusOf: ({ message }) => ({ $typeName: "google.rpc.Status", code: 9, message, details: [] }),
      faultOf: () => undefined,
      dayOf,
      outbox: new Outbox(),
      events: [],
    };
    decision(step);
    while (place(step));
    if (step.events.length > 0) this.log.push({ now: step.now, epoch: this.epoch, events: step.events });
    if (this.logIsAway) this.#heldBack.push(step.outbox);
    else step.outbox.leaves(this.monotonic);
    for (const worker of this.#workers) worker.hear(step.outbox);
    return step.outbox;
  }

  /** A random number in [0, 1), the same in every run of the test (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** The log is there again: what waited for it leaves. */
  logIsBack(): void {
    this.logIsAway = false;
    for (const outbox of this.#heldBack.splice(0)) outbox.leaves(this.monotonic);
  }

  /** Lets time pass, and does what falls due. */
  advance(ms: number): Outbox {
    this.now += ms;
    this.monotonic += ms;
    return this.step((step) => decideTick(step, leaseMs));
  }

  /** Triggers runs of a task. */
  trigger(taskId: string, count = 1, options: ItemOptions & { requestId?: string } = {}): RunRecord[] {
    let first = 0;
    this.step((step) => {
      const items = Array.from({ length: count }, () => item(taskId, options));
      first = decideTrigger(step, { environment: this.environment, requestId: options.requestId ?? "", items }).first;
    });
    return Array.from({ length: count }, (_, i) => this.run(first + i));
  }

  /** Triggers items that need not make a run each. */
  triggerItems(items: TriggerItem[], more: { requestId?: string; replayOf?: number } = {}): ItemOutcome[] {
    let outcomes: ItemOutcome[] = [];
    this.step((step) => {
      outcomes = outcomesOf(decideTrigger(step, { environment: this.environment, requestId: "", items, ...more }));
    });
    return outcomes;
  }

  /** Triggers a part of a batch. */
  batch(items: TriggerItem[], part: MessageInitShape<typeof BatchPartSchema> = {}, requestId = ""): BatchAnswer {
    let answer: BatchAnswer = { outcomes: [], refused: undefined, batch: undefined };
    this.step((step) => {
      const given = decideBatchPart(step, { environment: this.environment, requestId, items }, create(BatchPartSchema, part));
      if (given.kind === "refused") answer = { ...answer, refused: given.refusal.reason };
      if (given.kind === "created")
        answer = { outcomes: outcomesOf(given.created), refused: undefined, batch: batchOutcomeOf(this.environment, given.created) };
    });
    return answer;
  }

  /** The run with this number. */
  run(number: number): RunRecord {
    const run = this.durable.runs.get(number);
    if (!run) throw new Error(`there is no run ${number}`);
    return run;
  }

  /** Connects a worker. */
  connect(worker: WorkerSetup): HarnessWorker {
    this.#streams += 1;
    const streamId = `stream-${this.#streams}`;
    const hello = create(HelloSchema, {
      protocolRevision: 1,
      workerId: worker.id,
      incarnation: BigInt(worker.incarnation ?? 1),
      slots: worker.slots ?? 10,
      buildId: worker.buildId ?? "build",
      held: worker.held ?? [],
      ...(worker.capacity ? { capacity: worker.capacity } : {}),
      capabilities: worker.journal ? ["journal"] : [],
      queues: worker.queues ?? [],
      concurrencyLimits: worker.limits ?? [],
      tasks: worker.tasks.map((task) => (typeof task === "string" ? { id: task } : task)),
    });
    const outbox = this.step((step) => decideHello(step, hello, { environment: this.environment, streamId, executor: "executor.test", leaseMs }));
    const connection = this.volatile.streams.get(streamId);
    const connected = new HarnessWorker(this, connection);
    connected.hear(outbox);
    this.#workers.push(connected);
    return connected;
  }

  /** Forgets what a restart forgets, and replays the log. */
  restart(): void {
    this.durable = this.recover(this.log);
    this.volatile = createVolatile();
    this.epoch += 100n;
    this.step((step) => decideTick(step, leaseMs));
  }
}

/** What an item came to: a run, perhaps one that existed before, or the reason of its refusal. */
export interface ItemOutcome {
  readonly run: number | undefined;
  readonly cached: boolean;
  readonly refused: string | undefined;
}

/** What a part of a batch came to. */
export interface BatchAnswer {
  readonly outcomes: ItemOutcome[];
  readonly refused: string | undefined;
  readonly batch: BatchOutcome | undefined;
}

function outcomesOf(created: CreatedRuns): ItemOutcome[] {
  const outcomes: ItemOutcome[] = [];
  forEachOutcome(created, (_, outcome, cached) => {
    outcomes.push(typeof outcome === "number" ? { run: outcome, cached, refused: undefined } : { run: undefined, cached, refused: outcome.reason });
  });
  return outcomes;
}

/** The state that a log leads to, from `durable` on. */
export function replayed(log: EngineHarness["log"], durable: Durable = createDurable()): Durable {
  for (const { now, epoch, events } of log) for (const event of events) apply(durable, event, { now, epoch });
  reindex(durable);
  return durable;
}

/** What a worker says in its Hello. */
export interface WorkerSetup {
  readonly id: string;
  readonly incarnation?: number;
  readonly slots?: number;
  /** It understands journals. */
  readonly journal?: boolean;
  readonly buildId?: string;
  readonly capacity?: { milliCpus: number; memoryMib: number };
  readonly tasks: readonly (string | MessageInitShape<typeof TaskDeclarationSchema>)[];
  readonly queues?: MessageInitShape<typeof QueueDeclarationSchema>[];
  readonly limits?: MessageInitShape<typeof ConcurrencyLimitDeclarationSchema>[];
  readonly held?: { token: Uint8Array; openWaits: number[] }[];
}

/** A worker at the other end of the engine's frames. */
export class HarnessWorker {
  readonly harness: EngineHarness;
  readonly connection: Connection | undefined;
  /** Everything that the engine sent, in order. */
  readonly frames: WorkResponse[] = [];
  /** Assignments that were not answered. */
  readonly assignments: Assignment[] = [];
  readonly #heard = new WeakSet<Outbox>();

  constructor(harness: EngineHarness, connection: Connection | undefined) {
    this.harness = harness;
    this.connection = connection;
  }

  /** Takes its frames from an outbox, once. */
  hear(outbox: Outbox): void {
    if (!this.connection || this.#heard.has(outbox)) return;
    this.#heard.add(outbox);
    for (const message of outbox.frames.get(this.connection)?.messages ?? []) {
      this.frames.push(message);
      this.assignments.push(...message.assignments);
    }
  }

  /** Sends a frame. */
  send(frame: Parameters<typeof create<typeof WorkRequestSchema>>[1]): WorkResponse[] {
    const connection = this.connection;
    if (!connection) throw new Error("the worker is not connected");
    const before = this.frames.length;
    const request: WorkRequest = create(WorkRequestSchema, frame);
    this.hear(this.harness.step((step) => decideFrame(step, connection, request)));
    return this.frames.slice(before);
  }

  /** Takes the next assignments, as many as there are. */
  accept(): Assignment[] {
    const taken = this.assignments.splice(0);
    if (taken.length > 0) this.send({ accepted: taken.map((assignment) => assignment.token) });
    return taken;
  }

  /** Reports an output. */
  succeed(token: Uint8Array, output = "1"): WorkResponse[] {
    return this.send({ results: [{ token, outcome: { case: "output", value: { contentType: "application/json", data: new TextEncoder().encode(output) } } }] });
  }

  /** Reports a failure; without a delay there is no retry. `activeMs` is how long the attempt was active; undefined: the worker does not say. */
  fail(token: Uint8Array, retryDelayMs?: number, activeMs?: bigint): WorkResponse[] {
    const retryDelay = retryDelayMs === undefined ? undefined : { seconds: BigInt(Math.floor(retryDelayMs / 1_000)), nanos: (retryDelayMs % 1_000) * 1e6 };
    const said = { ...(retryDelay ? { retryDelay } : {}), ...(activeMs === undefined ? {} : { activeMs }) };
    return this.send({ results: [{ token, outcome: { case: "failure", value: { failure: { message: "no" }, ...said } } }] });
  }

  /** Reports that memory was full, and what machine the next attempts want; the retry is due at once. */
  outOfMemory(token: Uint8Array, retryMachine: string): WorkResponse[] {
    const failure = { kind: FailureKind.INTERNAL, code: "TASK_PROCESS_OOM_KILLED", message: "memory was full" };
    return this.send({ results: [{ token, outcome: { case: "failure", value: { failure, retryMachine, retryDelay: { seconds: 0n, nanos: 0 } } } }] });
  }

  /** What it would list as held. */
  static held(assignments: readonly Assignment[], openWaits: number[] = []): HeldAttempt[] {
    return assignments.map(({ token }) => ({ $typeName: "runlane.v1.HeldAttempt", token, openWaits }));
  }
}

/** What a test's trigger may ask for. */
export interface ItemOptions {
  maxAttempts?: number;
  queue?: string;
  reference?: string;
  machine?: string;
  version?: string;
  maxDurationSeconds?: number;
  tags?: string[];
  /** JSON text. */
  metadata?: string;
  /** JSON text; `{}` unless said otherwise. */
  payload?: string;
  delayMs?: number;
  /** Milliseconds of the Unix epoch. */
  untilMs?: number;
  ttlSeconds?: number;
  key?: string;
  keyTtlMs?: number;
  debounce?: { readonly key: string; readonly delayMs: number; readonly mode?: DebounceMode; readonly maxDelayMs?: number };
  concurrencyKey?: string;
  prioritySeconds?: number;
  weight?: number;
  /** Names of shared limits in place of the task's. */
  limits?: string[];
  test?: boolean;
}

/** An item that triggers a task. */
export function item(taskId: string, asked: ItemOptions = {}): TriggerItem {
  const { reference, metadata, limits, payload = "{}", delayMs, untilMs, key, keyTtlMs, debounce, ...options } = asked;
  const json = (text: string) => ({ contentType: "application/json", data: new TextEncoder().encode(text) });
  const given = create(TriggerItemSchema, {
    taskId,
    payload: reference === undefined ? json(payload) : { contentType: "application/json", reference },
    options: {
      ...options,
      ...(limits ? { concurrencyLimits: { names: limits } } : {}),
      ...(metadata === undefined ? {} : { metadata: json(metadata) }),
      ...(key === undefined ? {} : { idempotencyKey: { key, ...(keyTtlMs === undefined ? {} : { ttl: durationFromMs(keyTtlMs) }) } }),
    },
  });
  const { options: made } = given;
  if (made && delayMs !== undefined) made.delay = { case: "delayFor", value: durationFromMs(delayMs) };
  if (made && untilMs !== undefined) made.delay = { case: "delayUntil", value: timestampFromMs(untilMs) };
  if (made && debounce) {
    const { key: name, delayMs: wait, mode = DebounceMode.UNSPECIFIED, maxDelayMs } = debounce;
    const maxDelay = maxDelayMs === undefined ? {} : { maxDelay: durationFromMs(maxDelayMs) };
    made.debounce = create(DebounceSchema, { key: name, delay: durationFromMs(wait), mode, ...maxDelay });
  }
  return given;
}
