import { create } from "@bufbuild/protobuf";
import type {
  AttemptFailed,
  AttemptSucceeded,
  Event,
  PayloadStored,
  RunAssigned,
  RunsCreated,
  RunUpdated,
  SessionOpened,
} from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Failure, FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { BatchRecord } from "./batch-record.js";
import { closeBatch, createBatch, forgetBatch } from "./batch-transitions.js";
import { createRuns, reschedule } from "./create-runs.js";
import { declareQueues, declareTasks } from "./declare.js";
import { type Durable, workerKey } from "./durable.js";
import { createEnvironment, type Environment, maxAttemptsOf, maxDurationOf } from "./environment.js";
import { expiryFailure } from "./expiry.js";
import { updateEnvironment, updateLimit, updateQueue } from "./govern.js";
import { addEntry } from "./journal.js";
import { machines } from "./machine.js";
import { followTask } from "./membership.js";
import { offerJournal, parkRun, takeJournal } from "./park.js";
import type { PayloadRecord } from "./payload-record.js";
import { phases } from "./phase.js";
import { giveRates, takeRates } from "./rates.js";
import { type CommandAnswer, createExtras, type RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { beginWait, createToken, endToken, forgetToken } from "./token-transitions.js";
import { assign, conclude, delay, endAttempt, endWait, enqueue, enterQueue, markDelivered, rearm, refer, retire, setPhase, unbind } from "./transitions.js";
import { UnexpectedEvent } from "./unexpected-event.js";
import { addVersion, promoteVersion } from "./version-record.js";

/** What an event's batch says of it. */
export interface EventContext {
  /** Time of the batch. */
  readonly now: number;
  /** Epoch of the owner that wrote it. */
  readonly epoch: bigint;
}

/** Changes the state as an event says, in place. The only place where durable state changes. */
export function apply(durable: Durable, { event }: Event, context: EventContext): void {
  durable.now = Math.max(durable.now, context.now);
  switch (event.case) {
    case "environmentCreated":
      durable.environments.set(event.value.name, createEnvironment(event.value.name, event.value.tag));
      return;
    case "runsCreated":
      return takeCreatedRuns(durable, event.value);
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
      for (const number of event.value.runs) {
        const run = runOf(durable, number);
        if (run.journal) takeJournal(run);
        setPhase(durable, run, "executing");
      }
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
      if (run.phase === "deferred") return enterQueue(durable, run);
      return run.phase === "backoff" ? rearm(durable, run) : enqueue(durable, run);
    }
    case "waitBegan": {
      const run = runOf(durable, event.value.run);
      if (event.value.commandId > 0) noteCommand(run, event.value.commandId, { kind: "done" });
      return beginWait(durable, run, event.value);
    }
    case "runParked":
      return parkRun(durable, runOf(durable, event.value.run));
    case "waitEnded": {
      const run = runOf(durable, event.value.run);
      const wait = run.waits?.get(event.value.waitId);
      if (!wait) throw new UnexpectedEvent(`run ${run.number} has no wait ${event.value.waitId}, whose time has come`);
      wait.pending = 0;
      return endWait(durable, run, wait);
    }
    case "commandJournalled":
    case "entryRecorded":
      return noteEntry(durable, event);
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
      const why = refusal && { reason: refusal.reason, message: refusal.message };
      return noteCommand(runOf(durable, run), commandId, why ? { kind: "refused", refusal: why } : { kind: "done" });
    }
    case "payloadStored":
      return storePayload(durable, event.value);
    case "payloadDropped":
      environmentOf(durable, event.value.environment).payloads.delete(event.value.reference);
      return;
    case "runExpired":
      return expire(durable, runOf(durable, event.value.run));
    case "runRescheduled":
      return reschedule(durable, runOf(durable, event.value.run), event.value);
    case "idempotencyKeyEnded": {
      const { environment, taskId, key } = event.value;
      return environmentOf(durable, environment).keys.end(taskId, key);
    }
    case "batchCreated":
      return createBatch(durable, environmentOf(durable, event.value.environment), event.value);
    case "batchClosed":
      return closeBatch(durable, batchOf(durable, event.value.number), event.value);
    case "batchForgotten":
      return forgetBatch(durable, batchOf(durable, event.value.number));
    case "tokenCreated":
      return createToken(durable, environmentOf(durable, event.value.environment), event.value);
    case "tokenCompleted":
      return endToken(durable, environmentOf(durable, event.value.environment), event.value);
    case "tokenForgotten":
      return forgetToken(durable, environmentOf(durable, event.value.environment), event.value.number);
    case undefined:
      throw new UnexpectedEvent("the log holds an event of a kind that this version does not know; start the version that wrote it, or a newer one");
  }
}

function takeCreatedRuns(durable: Durable, event: RunsCreated): void {
  const parent = event.parent ? runOf(durable, event.parent) : undefined;
  const created = createRuns(durable, event, environmentOf(durable, event.environment), parent);
  if (parent) noteCommand(parent, event.commandId, { kind: "created", created });
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
  if (event.resumed) offerJournal(run);
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
    // It has not started after all: its time to live counts on.
    if (run.extras?.expireMs) durable.due.push({ atMs: run.extras.expireMs, run, attempt: 0, waitId: 0 });
  }
  // What the attempt held is given back as it was taken.
  setPhase(durable, run, "queued");
  // What its task declares may have changed meanwhile: it has not started, so that holds for it.
  if (run.attempt === 0) followTask(durable, run);
  enqueue(durable, run);
}

function expire(durable: Durable, run: RunRecord): void {
  run.failure = expiryFailure(run.extras?.ttlSeconds ?? 0);
  setPhase(durable, run, "expired");
  conclude(durable, run);
  retire(durable, run);
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
  if (event.activeMs > 0n) {
    run.extras ??= createExtras();
    run.extras.activeMs += Number(event.activeMs);
  }
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
  run.extras ??= createExtras();
  if (event.tags) run.extras.tags = event.tags.tags;
  if (event.metadata) run.extras.metadata = event.metadata;
  if (event.by) noteCommand(runOf(durable, event.by), event.commandId, { kind: "done" });
}

function storePayload(durable: Durable, { environment: name, reference, sizeBytes }: PayloadStored): void {
  const environment = environmentOf(durable, name);
  const payload: PayloadRecord = { reference, sizeBytes: Number(sizeBytes), storedMs: durable.now, freeMs: durable.now, refs: 0 };
  environment.payloads.set(reference, payload);
  durable.unreferenced.push({ environment, payload, sinceMs: durable.now });
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
function cancelFailure(reason: string): Failure {
  return create(FailureSchema, { kind: FailureKind.VALUE, message: reason });
}

function noteEntry(durable: Durable, event: Extract<Event["event"], { case: "commandJournalled" | "entryRecorded" }>): void {
  const { run: number, key, commandId } = event.value;
  const run = runOf(durable, number);
  if (!key) throw new UnexpectedEvent(`command ${commandId} of run ${number} is journalled without a key`);
  if (event.case === "commandJournalled")
    return addEntry(run, { key, commandId, waitId: event.value.waitId, settled: 0, record: false, output: undefined, failure: undefined });
  const { output, failure } = event.value;
  // As long as the run exists: it is in the log.
  if (output?.reference) refer(run.environment, output.reference);
  addEntry(run, { key, commandId, waitId: 0, settled: 0, record: true, output, failure });
  noteCommand(run, commandId, { kind: "done" });
}

function noteCommand(run: RunRecord, commandId: number, answer: CommandAnswer): void {
  run.commands ??= new Map();
  run.commands.set(commandId, answer);
}

function batchOf(durable: Durable, number: bigint): BatchRecord {
  const batch = durable.batches.byNumber.get(Number(number));
  if (!batch) throw new UnexpectedEvent(`batch ${number} does not exist, or ended long ago`);
  return batch;
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
