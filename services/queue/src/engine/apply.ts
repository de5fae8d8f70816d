import { create } from "@bufbuild/protobuf";
import type {
  AttemptFailed,
  AttemptSucceeded,
  Event,
  NewRun,
  PayloadStored,
  RunAssigned,
  RunsCreated,
  RunUpdated,
  SessionOpened,
  WaitBegan,
} from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Failure, FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { declareQueues, declareTasks } from "./declare.js";
import { type Durable, requestKey, requestRetention, workerKey } from "./durable.js";
import { type Environment, machineOf, maxAttemptsOf, maxDurationOf, queueNameOf } from "./environment.js";
import { createFlow } from "./flow.js";
import { updateEnvironment, updateLimit, updateQueue } from "./govern.js";
import { laneOf } from "./lane.js";
import { machines } from "./machine.js";
import { followTask, joinLane, joinLimits, limitsOf } from "./membership.js";
import type { PayloadRecord } from "./payload-record.js";
import { phases } from "./phase.js";
import { queueOf } from "./queue-record.js";
import { giveRates, takeRates } from "./rates.js";
import type { CommandAnswer, CreatedRuns, RunExtras, RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { assign, conclude, delay, endAttempt, enqueue, markDelivered, rearm, retire, setPhase, unbind } from "./transitions.js";
import { addVersion, createVersions, promoteVersion } from "./version-record.js";

/** What an event's batch says of it. */
export interface EventContext {
  /** Time of the batch. */
  readonly now: number;
  /** Epoch of the owner that wrote it. */
  readonly epoch: bigint;
}

/** An event that does not follow from the log before it: the log is damaged, or this code is older than its writer. */
export class UnexpectedEvent extends Error {
  override readonly name = "UnexpectedEvent";
}

/** Changes the state as an event says, in place. The only place where durable state changes. */
export function apply(durable: Durable, { event }: Event, context: EventContext): void {
  durable.now = Math.max(durable.now, context.now);
  switch (event.case) {
    case "environmentCreated": {
      const { name, tag } = event.value;
      const flow = createFlow();
      durable.environments.set(name, { name, tag, tasks: new Map(), queues: new Map(), flow, versions: createVersions(), payloads: new Map() });
      return;
    }
    case "runsCreated":
      return createRuns(durable, event.value);
    case "versionCreated":
      return addVersion(environmentOf(durable, event.value.environment).versions, event.value.version, event.value.buildId, durable.now);
    case "versionPromoted": {
      const { versions } = environmentOf(durable, event.value.environment);
      const version = versions.byNumber.get(event.value.version);
      if (!version) throw new UnexpectedEvent(`version ${event.value.version} is promoted and does not exist`);
      return promoteVersion(versions, version);
    }
    case "runUnbound":
      return unbind(durable, runOf(durable, event.value.run));
    case "runUpdated":
      return update(durable, event.value);
    case "tasksDeclared":
      return declareTasks(durable, environmentOf(durable, event.value.environment), event.value);
    case "queuesDeclared":
      return declareQueues(durable, environmentOf(durable, event.value.environment), event.value);
    case "queueUpdated":
      return updateQueue(durable, environmentOf(durable, event.value.environment), event.value);
    case "limitUpdated":
      return updateLimit(durable, environmentOf(durable, event.value.environment), event.value);
    case "environmentUpdated":
      return updateEnvironment(durable, environmentOf(durable, event.value.environment), event.value);
    case "sessionOpened":
      return openSession(durable, event.value);
    case "sessionEnded":
      return endSession(durable, Number(event.value.session));
    case "runAssigned":
      return assignRun(durable, event.value, context);
    case "runsAccepted":
      for (const number of event.value.runs) setPhase(durable, runOf(durable, number), "executing");
      return;
    case "runReturned":
      return returnRun(durable, runOf(durable, event.value.run));
    case "attemptSucceeded":
      return succeed(durable, event.value);
    case "attemptFailed":
      return fail(durable, event.value);
    case "retryDue": {
      const run = runOf(durable, event.value.run);
      run.retryAtMs = 0;
      if (run.attempt === 0) followTask(durable, run);
      return run.phase === "backoff" ? rearm(durable, run) : enqueue(durable, run);
    }
    case "waitBegan":
      return beginWait(durable, event.value);
    case "runResumed": {
      const run = runOf(durable, event.value.run);
      setPhase(durable, run, "executing");
      return markDelivered(durable, run, event.value.waitIds);
    }
    case "waitContinued": {
      const run = runOf(durable, event.value.run);
      setPhase(durable, run, "waiting");
      return noteCommand(run, event.value.commandId, { kind: "done" });
    }
    case "runCanceled":
      return cancel(durable, runOf(durable, event.value.run), event.value.reason);
    case "cancelConfirmed": {
      const run = runOf(durable, event.value.run);
      setPhase(durable, run, "canceled");
      run.commands = undefined;
      return retire(durable, run);
    }
    case "commandAnswered": {
      const { run, commandId, refusal } = event.value;
      return noteCommand(runOf(durable, run), commandId, refusal ? { kind: "refused", refusal } : { kind: "done" });
    }
    case "payloadStored":
      return storePayload(durable, event.value);
    case "payloadDropped":
      environmentOf(durable, event.value.environment).payloads.delete(event.value.reference);
      return;
    case "runExpired":
    case "runRescheduled":
    case "idempotencyKeyEnded":
    case "batchCreated":
    case "batchClosed":
    case "batchForgotten":
      throw new UnexpectedEvent(`the log holds an event ${event.case}, which this version writes nowhere; start the version that wrote it`);
    case undefined:
      throw new UnexpectedEvent("the log holds an event of a kind that this version does not know; start the version that wrote it, or a newer one");
  }
}

function createRuns(durable: Durable, event: RunsCreated): void {
  const environment = environmentOf(durable, event.environment);
  const parent = event.parent ? runOf(durable, event.parent) : undefined;
  const first = Number(event.firstNumber);
  let number = first;
  for (const item of event.runs) {
    const task = environment.tasks.get(item.taskId);
    const { settings } = item;
    const queue = queueOf(environment, item.queue || queueNameOf(item.taskId, task));
    const lane = settings ? laneOf(queue, settings.concurrencyKey) : queue.keyless;
    const limits = settings?.concurrencyLimits ? limitsOf(environment, task, settings.concurrencyLimits.names) : task?.limits;
    joinLane(lane);
    const run: RunRecord = {
      number,
      environment,
      taskId: item.taskId,
      queue,
      queueNamed: item.queue !== "",
      lane,
      slots: joinLimits(lane, limits),
      orderMs: durable.now - Number(settings?.priorityMs ?? 0n),
      tokens: 0,
      list: undefined,
      phase: "queued",
      attempt: 0,
      askedAttempts: item.maxAttempts,
      maxAttempts: item.maxAttempts || maxAttemptsOf(task),
      payload: item.payload,
      createMs: durable.now,
      startMs: 0,
      finishMs: 0,
      retryAtMs: 0,
      version: item.settings?.version || event.version,
      askedVersion: item.settings?.version || event.version,
      machine: item.settings?.machine ? machines.get(item.settings.machine) : machineOf(task),
      maxDurationSeconds: item.settings?.maxDurationSeconds ?? maxDurationOf(task),
      extras: extrasOf(item),
      session: undefined,
      epoch: 0n,
      nonce: 0n,
      ownProcess: false,
      output: undefined,
      failure: undefined,
      parent: parent?.number ?? 0,
      root: parent ? parent.root || parent.number : 0,
      depth: parent ? parent.depth + 1 : 0,
      children: undefined,
      waiter: undefined,
      waits: undefined,
      commands: undefined,
    };
    durable.runs.set(number, run);
    if (item.payload?.reference) refer(environment, item.payload.reference);
    if (parent) {
      parent.children ??= [];
      parent.children.push(number);
    }
    enqueue(durable, run);
    number += 1;
  }
  durable.nextRun = number;
  const created: CreatedRuns = {
    first,
    count: event.runs.length,
    refused: event.refused.map(({ index, refusal }) => ({ index, refusal: { reason: refusal?.reason ?? "", message: refusal?.message ?? "" } })),
  };
  if (parent) noteCommand(parent, event.commandId, { kind: "created", created });
  if (event.requestId) rememberRequest(durable, requestKey(event.environment, event.requestId), created);
}

function extrasOf({ settings }: NewRun): RunExtras | undefined {
  if (!settings) return undefined;
  const { tags, metadata, machine, maxDurationSeconds, priorityMs, weight, concurrencyLimits } = settings;
  return {
    tags,
    metadata,
    askedMachine: machine,
    askedDurationSeconds: maxDurationSeconds,
    priorityMs: Number(priorityMs),
    weight: weight || 1,
    askedLimits: concurrencyLimits?.names,
  };
}

function rememberRequest(durable: Durable, key: string, created: CreatedRuns): void {
  durable.requests.set(key, created);
  durable.requestOrder.push({ key, timeMs: durable.now });
  for (;;) {
    const oldest = durable.requestOrder.peek();
    if (!oldest || (oldest.timeMs >= durable.now - requestRetention.ms && durable.requestOrder.size <= requestRetention.count)) return;
    durable.requestOrder.shift();
    durable.requests.delete(oldest.key);
  }
}

function openSession(durable: Durable, event: SessionOpened): void {
  const environment = environmentOf(durable, event.environment);
  const number = Number(event.session);
  const session: SessionRecord = {
    number,
    environment,
    workerId: event.workerId,
    incarnation: event.incarnation,
    version: event.version,
    milliCpus: event.capacity?.milliCpus ?? 0,
    memoryMib: event.capacity?.memoryMib ?? 0,
    runs: new Set<RunRecord>(),
    busy: 0,
    usedMilliCpus: 0,
    usedMemoryMib: 0,
  };
  durable.sessions.set(number, session);
  durable.sessionOf.set(workerKey(environment.name, event.workerId), session);
  durable.nextSession = number + 1;
}

function endSession(durable: Durable, number: number): void {
  const session = durable.sessions.get(number);
  if (!session) throw new UnexpectedEvent(`session ${number} ends but is not open`);
  if (session.runs.size > 0) throw new UnexpectedEvent(`session ${number} ends and still holds ${session.runs.size} runs`);
  durable.sessions.delete(number);
  const key = workerKey(session.environment.name, session.workerId);
  if (durable.sessionOf.get(key) === session) durable.sessionOf.delete(key);
}

function assignRun(durable: Durable, event: RunAssigned, context: EventContext): void {
  const run = runOf(durable, event.run);
  const session = durable.sessions.get(Number(event.session));
  if (!session) throw new UnexpectedEvent(`run ${run.number} is assigned to session ${event.session}, which is not open`);
  run.attempt = event.attempt;
  run.nonce = event.nonce;
  run.epoch = context.epoch;
  run.failure = undefined;
  run.tokens = run.phase === "queued" ? takeRates(durable, run) : 0;
  if (run.startMs === 0) {
    const task = run.environment.tasks.get(run.taskId);
    run.startMs = durable.now;
    run.maxAttempts = run.askedAttempts || maxAttemptsOf(task);
    run.maxDurationSeconds = run.extras?.askedDurationSeconds ?? maxDurationOf(task);
  }
  assign(durable, run, session);
  // Behind the assignment, which takes it from among those that are bound to what it had before.
  run.version = session.version;
}

function returnRun(durable: Durable, run: RunRecord): void {
  // It costs the run nothing: the attempt did not happen. The next one has the same number and another nonce.
  run.attempt -= 1;
  endAttempt(durable, run);
  giveRates(durable, run);
  if (run.attempt === 0) {
    run.startMs = 0;
    run.version = run.askedVersion;
  }
  // What the attempt held is given back as it was taken.
  setPhase(durable, run, "queued");
  if (run.attempt === 0 && !run.extras?.askedMachine) run.machine = machineOf(run.environment.tasks.get(run.taskId));
  enqueue(durable, run);
}

function succeed(durable: Durable, event: AttemptSucceeded): void {
  const run = runOf(durable, event.run);
  run.output = event.output;
  if (event.output?.reference) refer(run.environment, event.output.reference);
  endAttempt(durable, run);
  setPhase(durable, run, "completed");
  conclude(durable, run);
  retire(durable, run);
}

function fail(durable: Durable, event: AttemptFailed): void {
  const run = runOf(durable, event.run);
  run.failure = event.failure;
  run.ownProcess ||= event.ownProcess;
  endAttempt(durable, run);
  if (event.retryMachine) {
    // What the attempt held is given back as it was taken; a queue slot stays for the delay.
    setPhase(durable, run, phases[run.phase].slot ? "backoff" : "delayed");
    run.machine = machines.get(event.retryMachine) ?? run.machine;
  }
  if (event.retryAtMs !== undefined) return delay(durable, run, Number(event.retryAtMs));
  setPhase(durable, run, "failed");
  conclude(durable, run);
  retire(durable, run);
}

function update(durable: Durable, event: RunUpdated): void {
  const run = runOf(durable, event.run);
  run.extras ??= { tags: [], metadata: undefined, askedMachine: "", askedDurationSeconds: undefined, priorityMs: 0, weight: 1, askedLimits: undefined };
  if (event.tags) run.extras.tags = event.tags.tags;
  if (event.metadata) run.extras.metadata = event.metadata;
  if (event.by) noteCommand(runOf(durable, event.by), event.commandId, { kind: "done" });
}

function storePayload(durable: Durable, { environment: name, reference, sizeBytes }: PayloadStored): void {
  const environment = environmentOf(durable, name);
  const payload: PayloadRecord = { reference, sizeBytes: Number(sizeBytes), storedMs: durable.now, refs: 0 };
  environment.payloads.set(reference, payload);
  durable.unreferenced.push({ environment, payload });
}

/** A run names a payload. It does so for as long as it exists: runs that memory forgets are still in the log, and whoever deletes runs counts back. */
function refer(environment: Environment, reference: string): void {
  const payload = environment.payloads.get(reference);
  if (!payload) throw new UnexpectedEvent(`a run refers to payload ${reference}, which is not stored`);
  payload.refs += 1;
}

function beginWait(durable: Durable, event: WaitBegan): void {
  const run = runOf(durable, event.run);
  const children = event.children.map(Number);
  run.waits ??= new Map();
  run.waits.set(event.waitId, { children, pending: children.length, delivered: false });
  for (const number of event.children) runOf(durable, number).waiter = { run: run.number, attempt: run.attempt, waitId: event.waitId };
  if (run.phase === "executing") setPhase(durable, run, "waiting");
}

function cancel(durable: Durable, run: RunRecord, reason: string): void {
  run.failure = cancelFailure(reason);
  run.retryAtMs = 0;
  endAttempt(durable, run);
  const wasIdle = run.phase === "waiting" || run.phase === "resumable";
  if (wasIdle || run.session) {
    setPhase(durable, run, wasIdle ? "cancelingIdle" : "canceling");
    return conclude(durable, run);
  }
  setPhase(durable, run, "canceled");
  conclude(durable, run);
  retire(durable, run);
}

/** The failure that a cancelled run shows: as if its reason had been thrown, which is Trigger.dev's STRING_ERROR. */
export function cancelFailure(reason: string): Failure {
  return create(FailureSchema, { kind: FailureKind.VALUE, message: reason });
}

function noteCommand(run: RunRecord, commandId: number, answer: CommandAnswer): void {
  run.commands ??= new Map();
  run.commands.set(commandId, answer);
}

function environmentOf(durable: Durable, name: string): Environment {
  const environment = durable.environments.get(name);
  if (!environment) throw new UnexpectedEvent(`environment ${name} does not exist`);
  return environment;
}

function runOf(durable: Durable, number: bigint): RunRecord {
  const run = durable.runs.get(Number(number));
  if (!run) throw new UnexpectedEvent(`run ${number} does not exist, or has ended long ago`);
  return run;
}
