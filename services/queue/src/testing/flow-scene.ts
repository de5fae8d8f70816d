import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type LimitChange,
  LimitChangeSchema,
  UpdateConcurrencyLimitRequestSchema,
  UpdateEnvironmentRequestSchema,
  UpdateQueueRequestSchema,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { audit } from "../engine/audit.js";
import { decideCancel } from "../engine/decide-cancel.js";
import { decideUpdateEnvironment, decideUpdateLimit, decideUpdateQueue } from "../engine/decide-flow.js";
import { decideTick, nextDue } from "../engine/decide-tick.js";
import { explain } from "../engine/explain.js";
import { limitOf } from "../engine/flow.js";
import { queueOf } from "../engine/queue-record.js";
import type { RunRecord } from "../engine/run-record.js";
import { runOfToken, tokenOf } from "../engine/token.js";
import { stateOf } from "../engine/view.js";
import { EngineHarness, type HarnessWorker, type ItemOptions, item, type WorkerSetup } from "./engine-harness.js";

/** What a scene's first worker declares, and how much it takes. */
export type SceneSetup = Partial<Omit<WorkerSetup, "id">>;

/** A limit as somebody overrides it, or lets it be as declared. */
export type Change = number | "reset";

/** Why a run waits, in the words of tests. */
export interface Why {
  readonly reason: string;
  readonly position: number;
  readonly subject: string;
  readonly message: string;
  readonly remedy: string;
  readonly limit: number | undefined;
  readonly held: number | undefined;
  /** In milliseconds from now. */
  readonly dueIn: number | undefined;
}

/**
 * The engine in the words of flow control: runs have names of one word, several are written with blanks between, and everything that a test says is one line. Task "t" has queue "q" unless the
 * setup says otherwise. Whatever happens, the slots are counted again.
 */
export class FlowScene {
  readonly harness = new EngineHarness();
  readonly #names = new Map<number, string>();
  readonly #numbers = new Map<string, number>();
  readonly #workers = new Map<string, { readonly worker: HarnessWorker; readonly setup: WorkerSetup }>();
  readonly #order: number[] = [];
  #commands = 0;

  constructor(setup: SceneSetup = {}) {
    this.connect("w", setup);
  }

  /** A worker says Hello, perhaps again: then it holds what it held. */
  connect(id: string, setup: SceneSetup = {}): void {
    const held = [...this.harness.durable.runs.values()]
      .filter((run) => run.session?.workerId === id && run.phase !== "assigned")
      .map((run) => ({ token: tokenOf(run), openWaits: [...(run.waits ?? [])].filter(([, wait]) => !wait.delivered).map(([wait]) => wait) }));
    const whole: WorkerSetup = { id, slots: 100, tasks: [{ id: "t", queue: "q" }], ...setup };
    const worker = this.harness.connect({ ...whole, held });
    this.#workers.set(id, { worker, setup: whole });
    this.#check();
  }

  /** Triggers a run for each name. */
  trigger(names: string, options: ItemOptions & { readonly task?: string } = {}): void {
    const { task = "t", ...asked } = options;
    const words = names.split(" ");
    const runs = this.harness.trigger(task, words.length, asked);
    for (const [i, name] of words.entries()) this.#name(name, (runs[i] as RunRecord).number);
    this.#check();
  }

  /** The run of this name. */
  run(name: string): RunRecord {
    return this.harness.run(this.#numbers.get(name) ?? 0);
  }

  /** Those that execute, the one first that was triggered first. */
  get running(): string {
    this.#accept();
    return this.#inPhase("executing");
  }

  /** Those that are ready to start. */
  get queued(): string {
    return this.#inPhase("queued");
  }

  /** What has started since this was last asked, in its order. */
  started(): string {
    this.#accept();
    return this.#order
      .splice(0)
      .map((number) => this.#names.get(number))
      .join(" ");
  }

  /** Lets runs end well. */
  end(names: string): void {
    this.#each(names, (run, worker) => worker.succeed(tokenOf(run)));
  }

  /** Lets the attempts of runs fail; without a delay there is no retry. */
  fail(names: string, retryDelayMs?: number): void {
    this.#each(names, (run, worker) => worker.fail(tokenOf(run), retryDelayMs));
  }

  /** Its worker declines what it was offered. */
  decline(names: string): void {
    for (const name of names.split(" ")) {
      const run = this.run(name);
      const { worker } = this.#workerOf(run);
      worker.assignments.splice(0);
      worker.send({ declined: [{ token: tokenOf(run) }] });
    }
    this.#check();
  }

  /** Cancels runs; those that execute wait for {@link confirm}. */
  cancel(names: string): void {
    this.#accept();
    for (const name of names.split(" ")) this.harness.step((step) => decideCancel(step, this.run(name), "no"));
    this.#check();
  }

  /** The code of a cancelled run has ended. */
  confirm(names: string): void {
    this.#each(names, (run, worker) => worker.send({ cancelConfirmed: [tokenOf(run)] }));
  }

  /** A run triggers others, and waits for them. */
  wait(parent: string, children: string, options: ItemOptions & { readonly task?: string } = {}): void {
    const { task = "t", ...asked } = options;
    const words = children.split(" ");
    this.#commands += 1;
    const first = this.harness.durable.nextRun;
    const value = { waitId: this.#commands, items: words.map(() => item(task, asked)) };
    this.#each(parent, (run, worker) =>
      worker.send({ commands: [{ token: tokenOf(run), commandId: this.#commands, command: { case: "triggerAndWait", value } }] }),
    );
    for (const [i, name] of words.entries()) this.#name(name, first + i);
  }

  /** Ends one run after the other, the one first that was triggered first, until none executes. Returns what started since {@link started} was last asked, in its order. */
  drain(): string {
    for (let running = this.running; running !== ""; running = this.running) this.end(running.split(" ")[0] as string);
    return this.started();
  }

  /** Time passes; leases do not. */
  pass(ms: number): void {
    this.harness.now += ms;
    this.harness.step((step) => decideTick(step, Number.POSITIVE_INFINITY));
    this.#check();
  }

  /** How long the engine would sleep, in milliseconds; undefined: until something happens. */
  get sleep(): number | undefined {
    const due = nextDue(this.harness, Number.POSITIVE_INFINITY);
    return due === Number.POSITIVE_INFINITY ? undefined : due;
  }

  /** A worker is lost: its lease ends. */
  lose(id: string): void {
    const { harness } = this;
    this.#accept();
    for (const [other, { worker }] of this.#workers) if (other !== id) harness.volatile.heard.set(worker.connection!.session, harness.monotonic + 10_000);
    this.#workers.get(id)!.worker.connection!.open = false;
    harness.advance(10_000);
    this.#check();
  }

  /** Everything is started again from the log, and workers come back with what they hold. */
  restart(): void {
    this.#accept();
    this.harness.restart();
    for (const { worker, setup } of this.#workers.values()) if (worker.connection?.open) this.connect(setup.id, setup);
    this.#check();
  }

  changeQueue(name: string, { paused, limit }: { readonly paused?: boolean; readonly limit?: Change }): void {
    const request = create(UpdateQueueRequestSchema, {
      ...(paused !== undefined && { paused }),
      ...(limit !== undefined && { concurrencyLimit: changeTo(limit) }),
    });
    this.#step((step) => decideUpdateQueue(step, queueOf(this.harness.environment, name), request));
  }

  changeLimit(
    name: string,
    {
      paused,
      perKey,
      total,
      key,
      forSeconds,
    }: { readonly paused?: boolean; readonly perKey?: Change; readonly total?: Change; readonly key?: string; readonly forSeconds?: number },
  ): void {
    const request = create(UpdateConcurrencyLimitRequestSchema, {
      ...(paused !== undefined && { paused }),
      ...(perKey !== undefined && { perKey: changeTo(perKey) }),
      ...(total !== undefined && { total: changeTo(total) }),
      ...(key !== undefined && { concurrencyKey: key }),
      ...(forSeconds !== undefined && { ttl: { seconds: BigInt(forSeconds) } }),
    });
    this.#step((step) => decideUpdateLimit(step, this.harness.environment, limitOf(this.harness.environment.flow, name), request));
  }

  changeEnvironment({ paused, limit, burst }: { readonly paused?: boolean; readonly limit?: Change; readonly burst?: number }): void {
    const request = create(UpdateEnvironmentRequestSchema, {
      ...(paused !== undefined && { paused }),
      ...(limit !== undefined && { concurrencyLimit: changeTo(limit) }),
      ...(burst !== undefined && { burstFactor: burst }),
    });
    this.#step((step) => decideUpdateEnvironment(step, this.harness.environment, request));
  }

  /** Why a run does not execute. */
  why(name: string): Why {
    const { reason, position, subject, message, remedy, limit, held, dueTime } = explain(this.harness.volatile, this.run(name), this.harness.now);
    const dueIn = dueTime && timestampMs(dueTime) - this.harness.now;
    return { reason: PendingReason[reason] as string, position: Number(position), subject, message, remedy, limit, held, dueIn };
  }

  /** What the API says that a run is. */
  state(name: string): string {
    return RunState[stateOf(this.run(name))] as string;
  }

  #name(name: string, number: number): void {
    this.#names.set(number, name);
    this.#numbers.set(name, number);
  }

  #inPhase(phase: RunRecord["phase"]): string {
    return [...this.#numbers]
      .filter(([, number]) => this.harness.durable.runs.get(number)?.phase === phase)
      .map(([name]) => name)
      .join(" ");
  }

  #accept(): void {
    for (const { worker } of this.#workers.values()) {
      if (worker.connection?.open) for (const { token } of worker.accept()) this.#order.push(runOfToken(token) as number);
    }
    this.#check();
  }

  #each(names: string, act: (run: RunRecord, worker: HarnessWorker) => void): void {
    for (const name of names.split(" ")) {
      const run = this.run(name);
      act(run, this.#workerOf(run).worker);
    }
    this.#check();
  }

  #workerOf(run: RunRecord): { worker: HarnessWorker } {
    const entry = run.session && this.#workers.get(run.session.workerId);
    if (!entry) throw new Error(`run ${this.#names.get(run.number)} is ${run.phase} and has no worker`);
    return entry;
  }

  #step(decision: Parameters<EngineHarness["step"]>[0]): void {
    this.harness.step(decision);
    this.#check();
  }

  #check(): void {
    const faults = audit(this.harness.durable);
    if (faults.length > 0) throw new Error(faults.join("; "));
  }
}

function changeTo(to: Change): LimitChange {
  return create(LimitChangeSchema, { change: to === "reset" ? { case: "reset", value: true } : { case: "override", value: to } });
}
