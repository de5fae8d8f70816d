import type { ConnectError } from "@connectrpc/connect";
import { decodeMessage, type InternalTransport, type Log, type Logger, type PayloadStore, reasonOf, refusal } from "@runlane/platform";
import type { RelayFramesRequest, WorkerFrame } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type WorkRequest, WorkRequestSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { decideCancel } from "../engine/decide-cancel.js";
import { decideClosed, decideFrame } from "../engine/decide-frame.js";
import { decideHello } from "../engine/decide-hello.js";
import { decideRecordPayload } from "../engine/decide-payload.js";
import { decideTick, nextDue } from "../engine/decide-tick.js";
import type { Durable } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";
import { environmentCreated } from "../engine/events.js";
import { phases } from "../engine/phase.js";
import { createTag, runNumberOf } from "../engine/run-id.js";
import type { RunRecord } from "../engine/run-record.js";
import { emit, type Step } from "../engine/step.js";
import { runMessageOf } from "../engine/view.js";
import { createVolatile, type Volatile } from "../engine/volatile.js";
import type { History } from "../history/history.js";
import type { Clock } from "./clock.js";
import { concernsRun, concernsTasks } from "./concerns.js";
import { Delivery } from "./delivery.js";
import { FlowControl } from "./flow-control.js";
import { frameParts, updateBytesOf } from "./frame-parts.js";
import { GroupCommit } from "./group-commit.js";
import { addSubscriber, tellPast, want } from "./interest.js";
import { runNotFound } from "./not-found.js";
import { PastRuns } from "./past-runs.js";
import { PayloadRemoval } from "./payload-removal.js";
import { TokenControl } from "./token-control.js";
import { Triggering } from "./triggering.js";
import { VersionControl } from "./version-control.js";

/** What a partition stands on. */
export interface PartitionOptions {
  readonly log: Log;
  readonly epoch: number;
  readonly durable: Durable;
  readonly history?: History;
  /** A record with so many events is on disk. */
  readonly committed: (sequence: number, record: Uint8Array, events: number) => void;
  /** Where payloads are that are too large for the log. */
  readonly payloads?: PayloadStore;
  readonly environments: readonly string[];
  readonly transport: InternalTransport;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** How long a run that is bound to a version waits for a worker of it, in milliseconds. Default 5 minutes. */
  readonly versionPatienceMs?: number | undefined;
  readonly logger: Logger;
  /** Whether the claim to the partition stands. */
  readonly claimed: () => boolean;
  /** The state in memory is worth nothing any more. */
  readonly lost: (cause: unknown) => void;
}

/** One epoch of a partition: its state, and everything that may be done to it. What it answers, it answers once the state that it saw is on disk. */
export class Partition {
  readonly durable: Durable;
  readonly volatile: Volatile;
  /** Queues and limits. */
  readonly flow: FlowControl;
  readonly versions: VersionControl;
  /** What runs wait for until somebody completes it. */
  readonly tokens: TokenControl;
  readonly #options: PartitionOptions;
  readonly #commit: GroupCommit;
  readonly #delivery: Delivery;
  readonly #removal: PayloadRemoval | undefined;
  readonly #past: PastRuns;
  /** Creates runs, and changes what was asked when they were created. */
  readonly triggering: Triggering;
  #cancelTick: (() => void) | undefined;
  #tickAt = Number.POSITIVE_INFINITY;
  #leaving = false;
  #stopped = false;

  constructor(options: PartitionOptions) {
    this.#options = options;
    this.durable = options.durable;
    this.volatile = createVolatile(options.versionPatienceMs);
    const { log, clock, transport, logger } = options;
    const epoch = BigInt(options.epoch);
    this.#delivery = new Delivery(transport, epoch, (address, error) => logger.debug({ address, err: error }, "could not be told"));
    this.#commit = new GroupCommit({
      log,
      epoch,
      clock,
      durable: this.durable,
      volatile: this.volatile,
      deliver: (outbox) => {
        this.#delivery.deliver(outbox, this.#commit.sequence);
        this.#removal?.remove(outbox.droppedPayloads);
        for (const lookup of outbox.lookups) void this.#past.bring(lookup);
      },
      committed: (sequence, record, events) => {
        // Before any answer leaves: whoever asks history after that answer finds what it told.
        options.committed(sequence, record, events);
        this.#wake();
      },
      lost: (cause) => {
        this.stop();
        options.lost(cause);
      },
    });
    this.#past = new PastRuns({ history: options.history, commit: this.#commit, clock, logger, stopped: () => this.#stopped });
    const handle = {
      commit: this.#commit,
      durable: this.durable,
      volatile: this.volatile,
      past: this.#past,
      admit: () => this.#admit(),
      mustOwn: () => this.#mustOwn(),
      environment: (name: string) => this.#environment(name),
      find: (environment: Environment, runId: string) => this.#find(environment, runId),
      now: () => this.#now,
      read: (environment: string, runId: string) => this.read(environment, runId),
    };
    this.triggering = new Triggering(handle);
    this.flow = new FlowControl(handle);
    this.versions = new VersionControl(handle);
    this.tokens = new TokenControl({ ...handle, secret: () => clock.secret() });
    const owns = () => this.#serves;
    const settled = () => this.#commit.settled();
    this.#removal = options.payloads && new PayloadRemoval({ store: options.payloads, durable: this.durable, clock, logger, owns, settled });
  }

  /** Creates missing environments and does what fell due while nobody owned the partition. */
  async begin(): Promise<void> {
    this.#commit.decide(64, (step) => {
      for (const name of this.#options.environments) {
        if (!this.durable.environments.has(name)) emit(step, environmentCreated(name, createTag(step.random())));
      }
      decideTick(step, this.#options.leaseMs);
    });
    await this.#commit.settled();
    this.#wake();
    this.#removal?.begin();
  }

  /** Takes nothing new, waits until what was decided is on disk, `mostMs` milliseconds at most, and ends the epoch. */
  async leave(mostMs: number): Promise<void> {
    this.#leaving = true;
    this.#cancelTick?.();
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(mostMs, resolve);
    });
    // What cannot reach the disk is repeated by its callers.
    await Promise.race([this.#commit.settled().catch(() => {}), patience]);
    cancel();
    this.stop();
  }

  /** Ends the epoch: callers hear NOT_OWNER. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTick?.();
    this.#removal?.stop();
    this.#commit.stop();
  }

  /** Reads a run, wherever it is. */
  async read(environmentName: string, runId: string): Promise<Run> {
    this.#mustOwn();
    const environment = this.#environment(environmentName);
    const { number, live } = this.#find(environment, runId);
    const message = live && runMessageOf(this.volatile, live, this.#now);
    await this.#commit.settled((event) => concernsRun(event, number));
    const run = message ?? (await this.#past.run(environmentName, runId));
    if (!run) throw runNotFound(runId);
    return run;
  }

  /** Sequence of the last append that is on disk: it covers every answer given so far. */
  get sequence(): number {
    return this.#commit.sequence;
  }

  /** Cancels a run and its descendants. */
  async cancel(environmentName: string, runId: string, reason: string): Promise<Run> {
    this.#admit();
    const environment = this.#environment(environmentName);
    const run = this.durable.runs.get(this.#find(environment, runId).number);
    if (!run || phases[run.phase].final) {
      // A run that is not in memory any more ended long ago, or never was.
      const ended = await this.read(environmentName, runId);
      throw refusal("RUN_FINISHED", `run ${runId} has ended already`, {
        metadata: { run_id: runId, state: String(ended.state) },
        resource: { type: "run", name: runId },
      });
    }
    const message = this.#commit.decide(64, (step) => {
      decideCancel(step, run, reason);
      return runMessageOf(this.volatile, run, step.now);
    });
    await this.#commit.settled();
    return message;
  }

  /** Subscribes to runs. Returns the ids that do not exist. */
  async watch(
    environmentName: string,
    subscriber: string,
    results: readonly string[],
    changes: readonly string[],
    unwatch: readonly string[],
  ): Promise<string[]> {
    this.#admit();
    const environment = this.#environment(environmentName);
    const unknown: string[] = [];
    const past: { id: string; change: boolean }[] = [];
    this.#commit.decide(0, (step) => {
      for (const [ids, change] of [
        [results, false],
        [changes, true],
      ] as const) {
        for (const id of ids) {
          const number = runNumberOf(environment, id);
          const run = number === undefined ? undefined : this.durable.runs.see(number);
          if (number === undefined || number >= this.durable.nextRun || (run && run.environment !== environment)) unknown.push(id);
          else if (!run) past.push({ id, change });
          else if (change) this.#wantChanges(step, subscriber, run);
          else want(step, environment, subscriber, number);
        }
      }
      for (const id of unwatch) this.#unwatch(environment, subscriber, id);
    });
    await this.#commit.settled();
    for (const { id, change } of past) {
      const run = await this.#past.run(environmentName, id);
      if (!run) unknown.push(id);
      else this.#commit.decide(0, (step) => tellPast(step, subscriber, run, change));
    }
    return unknown;
  }

  /** Lets runs refer to a payload whose bytes are in the store. */
  async recordPayload(environmentName: string, reference: string, sizeBytes: bigint): Promise<void> {
    this.#admit();
    const environment = this.#environment(environmentName);
    this.#commit.decide(64, (step) => decideRecordPayload(step, environment, reference, sizeBytes));
    await this.#commit.settled();
  }

  /** Takes frames of workers. */
  relay({ executor, frames }: RelayFramesRequest): void {
    if (!this.#serves) return;
    for (const frame of frames) this.#take(executor, frame);
    this.#wake();
  }

  /** Resolves when the list of tasks that the caller saw is on disk. */
  settledTasks(): Promise<void> {
    this.#mustOwn();
    return this.#commit.settled(concernsTasks);
  }

  #take(executor: string, frame: WorkerFrame): void {
    const { streamId } = frame;
    const connection = this.volatile.streams.get(streamId);
    if (frame.closed) {
      if (connection) this.#commit.decide(0, (step) => decideClosed(step, connection));
      return;
    }
    let request: WorkRequest;
    try {
      request = decodeMessage(WorkRequestSchema, frame.frame);
    } catch {
      return this.#end(executor, streamId, refusal("MALFORMED_FRAME", "the frame is not a runlane.v1.WorkRequest"));
    }
    const { hello } = request;
    if (hello) {
      const environment = this.durable.environments.get(frame.environment);
      if (!environment) return this.#end(executor, streamId, refusal("INVALID_KEY", `there is no environment ${frame.environment}`));
      const source = { environment, streamId, executor, leaseMs: this.#options.leaseMs };
      this.#commit.decide(frame.frame.length, (step) => decideHello(step, hello, source));
      return;
    }
    if (!connection) return this.#delivery.askHello(executor, streamId);
    connection.received += 1;
    if (Number(frame.sequence) !== connection.received) {
      // A frame was lost on the way: what the worker holds must be heard from itself.
      connection.open = false;
      this.volatile.streams.delete(streamId);
      return this.#delivery.askHello(executor, streamId);
    }
    for (const part of frameParts(request)) {
      const bytes = frame.frame.length + updateBytesOf(this.durable, part);
      this.#commit.decide(bytes, (step) => decideFrame(step, connection, part));
    }
  }

  #end(executor: string, streamId: string, error: ConnectError): void {
    this.#delivery.end({ executor, streamId, reason: reasonOf(error) ?? "INTERNAL", message: error.rawMessage });
  }

  #wantChanges(step: Step, subscriber: string, run: RunRecord): void {
    step.outbox.notice(subscriber, 1_000).changes.push(runMessageOf(this.volatile, run, step.now));
    if (!phases[run.phase].final) addSubscriber(this.volatile.changes, run.number, subscriber);
  }

  #unwatch(environment: Environment, subscriber: string, id: string): void {
    const number = runNumberOf(environment, id);
    if (number === undefined) return;
    for (const map of [this.volatile.results, this.volatile.changes]) {
      const left = map.get(number)?.filter((other) => other !== subscriber);
      if (left?.length) map.set(number, left);
      else map.delete(number);
    }
  }

  /** A run for reading. */
  #find(environment: Environment, runId: string): { number: number; live: RunRecord | undefined } {
    const number = runNumberOf(environment, runId);
    if (number === undefined || number >= this.durable.nextRun) throw runNotFound(runId);
    const live = this.durable.runs.see(number);
    if (live && live.environment !== environment) throw runNotFound(runId);
    return { number, live };
  }

  #environment(name: string): Environment {
    this.#mustOwn();
    const environment = this.durable.environments.get(name);
    if (!environment) throw refusal("INVALID_KEY", `there is no environment ${name}`);
    return environment;
  }

  /** The partition's time: it never goes back. */
  get #now(): number {
    return Math.max(this.#options.clock.now(), this.durable.now);
  }

  get #serves(): boolean {
    return !this.#stopped && !this.#leaving && this.#options.claimed();
  }

  #mustOwn(): void {
    if (!this.#serves) throw refusal("NOT_OWNER", "this server does not own the partition (any more)", { retryDelayMs: 100 });
  }

  #admit(): void {
    this.#mustOwn();
    const refused = this.#commit.refusal;
    if (refused) throw refused;
  }

  /** Sees to it that the next tick comes when the next thing is due. */
  #wake(): void {
    if (this.#stopped || this.#leaving) return;
    const { clock, leaseMs } = this.#options;
    const monotonic = clock.monotonic();
    // While the clock of a machine that was set back has not caught up, the partition's time stands still.
    const behindMs = Math.max(0, this.durable.now - clock.now());
    const wait = nextDue({ durable: this.durable, volatile: this.volatile, now: this.#now, monotonic }, leaseMs, behindMs);
    if (wait === undefined) return;
    const at = monotonic + wait;
    if (at >= this.#tickAt && this.#cancelTick) return;
    this.#cancelTick?.();
    this.#tickAt = at;
    // Timers may fire early by a fraction of a millisecond; due times round up.
    this.#cancelTick = clock.after(Math.ceil(wait) + 1, () => {
      this.#cancelTick = undefined;
      this.#tickAt = Number.POSITIVE_INFINITY;
      if (this.#stopped) return;
      this.#commit.decide(0, (step) => decideTick(step, leaseMs));
      this.#wake();
    });
  }
}
