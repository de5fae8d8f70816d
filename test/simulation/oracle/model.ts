import type { TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { BatchModel } from "./batch-model.js";
import { KeysModel } from "./keys-model.js";
import { EnvironmentModel, LimitModel, QueueModel } from "./limit-model.js";
import { machineSizes } from "./machine-size.js";
import { comesBefore, holdsSlots, isWithWorker, occupiesWorker, type Place, type RunModel } from "./run-model.js";
import { promise } from "./violation.js";
import type { TokenModel } from "./wait-model.js";
import type { ConnectionModel, SessionModel, VersionModel } from "./worker-model.js";

/** What a task said of itself last. */
export interface TaskModel {
  readonly declaration: TaskDeclaration;
}

/** Everything that the oracle knows, and the arithmetic of slots. */
export class Model {
  readonly environment = new EnvironmentModel();
  readonly tasks = new Map<string, TaskModel>();
  readonly queues = new Map<string, QueueModel>();
  readonly limits = new Map<string, LimitModel>();
  readonly runs = new Map<number, RunModel>();
  /** Runs in a queue: queued, rearmed or resumable, by queue and key. */
  readonly lanes = new Map<string, Set<RunModel>>();
  readonly versions = new Map<string, VersionModel>();
  current: VersionModel | undefined;
  readonly sessions = new Map<number, SessionModel>();
  readonly streams = new Map<string, ConnectionModel>();
  /** Every token that was ever given out. */
  readonly tokens = new Map<string, RunModel>();
  /** How many runs hold each gate. */
  readonly #held = new Map<string, number>();
  /** How many attempts each session executes. */
  readonly #busy = new Map<number, number>();
  nextRun = 1;
  readonly waitTokens = new Map<number, TokenModel>();
  /** Counts the events. */
  clock = 0;
  readonly keys = new KeysModel();
  readonly batches = new Map<number, BatchModel>();
  nextBatch = 1;
  /** What became of the items of each request, and of each command: as they were, or are to be, answered. */
  readonly outcomes = new Map<string, string>();

  run(number: bigint | number): RunModel {
    const run = this.runs.get(Number(number));
    promise(run !== undefined, () => `an event speaks of run ${number}, which was never created`);
    return run;
  }

  queue(name: string): QueueModel {
    let queue = this.queues.get(name);
    if (!queue) this.queues.set(name, (queue = new QueueModel()));
    return queue;
  }

  limit(name: string): LimitModel {
    let limit = this.limits.get(name);
    if (!limit) this.limits.set(name, (limit = new LimitModel()));
    return limit;
  }

  /** When a batch ended: it takes no more items, and all its runs are final; undefined if it has not. */
  endOf({ state, items, closeMs }: BatchModel): number | undefined {
    const runs = items.map(({ run }) => this.run(run));
    if (state === "open" || runs.some(({ final }) => final === undefined)) return undefined;
    return Math.max(closeMs, ...runs.map(({ finalMs }) => finalMs));
  }

  /** The queue that a run of a task is in whose trigger names none. */
  queueOf(taskId: string): string {
    return this.tasks.get(taskId)?.declaration.queue || `task/${taskId}`;
  }

  isKnown(queue: string): boolean {
    return this.queues.get(queue)?.known === true || (queue.startsWith("task/") && this.tasks.has(queue.slice(5)));
  }

  /** The machine of a run's next attempt. */
  machineOf(run: RunModel): string {
    if (run.started) return run.machine;
    return run.askedMachine || (this.tasks.get(run.taskId)?.declaration.machine ?? "");
  }

  held(gate: string): number {
    return this.#held.get(gate) ?? 0;
  }

  busy(session: SessionModel): number {
    return this.#busy.get(session.number) ?? 0;
  }

  /** What a run holds when it starts. The first is the environment, the second the queue, the third its key; then the limits and their keys. */
  gatesOf(run: RunModel): readonly string[] {
    const gates = ["environment", `queue ${run.queue}`, `queue ${run.queue} key ${run.key}`];
    for (const name of run.limits) gates.push(`limit ${name}`, `limit ${name} key ${run.key}`);
    return gates;
  }

  /** Lets a run that holds nothing follow what its task says now: into its queue, and to its limits, as far as its trigger named none. */
  follow(run: RunModel): void {
    if (run.askedQueue === "") run.queue = this.queueOf(run.taskId);
    run.limits = this.limitsOf(run.taskId, run.askedLimits);
  }

  /** The limits of a task's runs: its own one, and those that it or their trigger names. */
  limitsOf(taskId: string, asked?: readonly string[]): string[] {
    const concurrency = this.tasks.get(taskId)?.declaration.concurrency;
    const own = `task/${taskId}`;
    const has = concurrency?.perKey !== undefined || concurrency?.total !== undefined || this.limits.get(own)?.declared === true;
    return [...new Set([...(this.tasks.has(taskId) && has ? [own] : []), ...(asked ?? concurrency?.limits ?? [])])];
  }

  /** Puts a run somewhere else: slots are counted here and nowhere else. */
  move(run: RunModel, place: Place, nowMs: number): void {
    const [from, to] = [run.place, place];
    if (isReady(from)) this.#leaveLane(run);
    if (!holdsSlots.has(from) && holdsSlots.has(to)) {
      run.taken = this.gatesOf(run);
      for (const gate of run.taken) this.#held.set(gate, this.held(gate) + 1);
    } else if (holdsSlots.has(from) && !holdsSlots.has(to)) {
      for (const gate of run.taken) this.#held.set(gate, this.held(gate) - 1);
      run.taken = [];
    }
    if (run.session !== undefined && occupiesWorker.has(from) !== occupiesWorker.has(to)) {
      this.#busy.set(run.session, (this.#busy.get(run.session) ?? 0) + (occupiesWorker.has(to) ? 1 : -1));
    }
    run.place = to;
    if (!isWithWorker.has(to)) run.session = undefined;
    if (isReady(to)) {
      run.readyMs = nowMs;
      const lane = laneOf(run);
      const runs = this.lanes.get(lane);
      if (runs) runs.add(run);
      else this.lanes.set(lane, new Set([run]));
    }
  }

  /** Lets a queued run follow what its task says now: into its queue, if it stands in the one that the task had before. */
  requeue(run: RunModel, from: string): void {
    this.#leaveLane(run);
    const { queue } = run;
    this.follow(run);
    if (queue !== from) run.queue = queue;
    const runs = this.lanes.get(laneOf(run));
    if (runs) runs.add(run);
    else this.lanes.set(laneOf(run), new Set([run]));
  }

  #leaveLane(run: RunModel): void {
    const lane = this.lanes.get(laneOf(run));
    lane?.delete(run);
    if (lane?.size === 0) this.lanes.delete(laneOf(run));
  }

  /** The first gate that does not let a run through; undefined if all do. */
  closedGate(run: RunModel): string | undefined {
    if (holdsSlots.has(run.place)) return undefined;
    const { environment } = this;
    if (environment.paused) return "the environment is paused";
    const queue = this.queue(run.queue);
    if (queue.paused) return `queue ${run.queue} is paused`;
    const gate = `queue ${run.queue}`;
    if (this.held("environment") >= environment.total) return `the environment's limit of ${environment.total}`;
    if (this.held(gate) >= environment.perQueue) return `the environment's limit of ${environment.perQueue} for one queue`;
    if (this.held(gate) >= (queue.total ?? Number.POSITIVE_INFINITY)) return `the total limit ${queue.total} of queue ${run.queue}`;
    if (this.held(`${gate} key ${run.key}`) >= queue.perKey.current) return `the limit ${queue.perKey.current} of key "${run.key}" of queue ${run.queue}`;
    for (const name of run.limits) {
      const limit = this.limits.get(name);
      if (!limit) continue;
      if (limit.paused) return `limit ${name} is paused`;
      if (this.held(`limit ${name}`) >= limit.total.current) return `the total of limit ${name}`;
      if (this.held(`limit ${name} key ${run.key}`) >= limit.ofKey(run.key)) return `limit ${name} of key "${run.key}"`;
    }
    return undefined;
  }

  /** Whether the rate lets a run start; `lateMs` asks whether it did so that long ago already. */
  hasRate(run: RunModel, nowMs: number, lateMs = 0): boolean {
    if (run.place !== "queued") return true;
    return this.queue(run.queue)
      .buckets(run.key, nowMs)
      .every((bucket) => bucket.has(run.weight, nowMs, lateMs));
  }

  /** Whether a run of a queue waits for its rate: lighter ones behind it, and those of other keys, wait as well, else it might wait for ever. */
  isHeldByRate(queue: string, nowMs: number): boolean {
    const { rate, keyRate } = this.queue(queue);
    if (!rate && !keyRate) return false;
    for (const runs of this.lanes.values()) for (const run of runs) if (run.queue === queue && !this.hasRate(run, nowMs, 2)) return true;
    return false;
  }

  /** Takes what a start takes of its queue's rates, or gives it back. */
  takeRate(run: RunModel, nowMs: number, weight: number): void {
    for (const bucket of this.queue(run.queue).buckets(run.key, nowMs)) bucket.take(weight, nowMs);
  }

  /** Whether runs that are bound to no version may start on this one. */
  startsRuns(version: string): boolean {
    const model = this.versions.get(version);
    return model !== undefined && !model.setAside && model.index <= (this.current?.index ?? -1);
  }

  /** Why a worker cannot take a run; undefined if it can. */
  unfit(run: RunModel, { session, tasks, slots, draining }: ConnectionModel): string | undefined {
    if (draining) return "it leaves";
    if (!tasks.has(run.taskId)) return `it has no task ${run.taskId}`;
    if (run.version ? session.version !== run.version : !this.startsRuns(session.version)) return `it has version ${session.version}`;
    if (this.busy(session) >= slots) return `its ${slots} slots are taken`;
    return this.hasRoom(run, session) ? undefined : `it has no room for a ${this.machineOf(run)}`;
  }

  /** Whether a session has room for a run's machine. */
  hasRoom(run: RunModel, session: SessionModel): boolean {
    const machine = this.machineOf(run);
    if (machine === "") return true;
    const size = machineSizes[machine] as { milliCpus: number; memoryMib: number };
    let { milliCpus, memoryMib } = session;
    for (const other of this.runs.values()) {
      if (other.session !== session.number || !occupiesWorker.has(other.place) || other === run) continue;
      const taken = machineSizes[this.machineOf(other)];
      milliCpus -= taken?.milliCpus ?? 0;
      memoryMib -= taken?.memoryMib ?? 0;
    }
    return size.milliCpus <= milliCpus && size.memoryMib <= memoryMib;
  }

  /** The stream of a worker that could execute a run now. */
  workerFor(run: RunModel): ConnectionModel | undefined {
    for (const connection of this.streams.values()) if (this.unfit(run, connection) === undefined) return connection;
    return undefined;
  }

  /** Whether a run could go on now: nothing is missing. */
  couldStart(run: RunModel, nowMs: number, lateMs = 0): boolean {
    if (!this.tasks.has(run.taskId) || (run.place === "queued" && !this.isKnown(run.queue))) return false;
    if (this.closedGate(run) !== undefined || !this.hasRate(run, nowMs, lateMs)) return false;
    if (run.place !== "resumable") return this.workerFor(run) !== undefined;
    const session = this.sessions.get(run.session ?? 0);
    return session !== undefined && this.hasRoom(run, session);
  }

  /** A run that is ready, comes before another of its key, and could go on as well; undefined if there is none. */
  overtaken(run: RunModel, nowMs: number): RunModel | undefined {
    for (const other of this.lanes.get(laneOf(run)) ?? []) {
      // Who holds his slots already passes by those who do not.
      if (other !== run && run.place !== "rearmed" && comesBefore(other, run) && this.couldStart(other, nowMs)) return other;
    }
    return undefined;
  }
}

/** A queue and a concurrency key: what is started in order. */
export function laneOf(run: RunModel): string {
  return `${run.queue}\n${run.key}`;
}

/** Whether a run is in its queue. */
export function isReady(place: Place): boolean {
  return place === "queued" || place === "rearmed" || place === "resumable" || place === "revived";
}
