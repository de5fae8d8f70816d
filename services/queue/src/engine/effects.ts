import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { RunResult } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { AttemptSettings } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Durable } from "./durable.js";
import { phases } from "./phase.js";
import { forgetSupply } from "./room.js";
import { batchIdOf, runIdOf } from "./run-id.js";
import { createExtras, type RunRecord } from "./run-record.js";
import { journalLengthOf, sendJournal } from "./send-journal.js";
import type { Step } from "./step.js";
import { tokenOf } from "./token.js";
import { resultOf, runMessageOf, runResultBytes, shownKeyOf } from "./view.js";
import { waitEndBytes, waitEndOf } from "./view-token.js";
import type { Unaccepted } from "./volatile.js";

/** Puts what follows from an event, just applied, into the outbox. Nothing else tells anybody of events. */
export function effects(step: Step, { event }: Event): void {
  switch (event.case) {
    case "runAssigned": {
      const run = runOf(step.durable, event.value.run);
      sendAssignment(step, run, event.value.resumed);
      return tellChange(step, run);
    }
    case "runResumed": {
      const run = runOf(step.durable, event.value.run);
      for (const waitId of event.value.waitIds) sendResume(step, run, waitId);
      step.volatile.told.set(run, step.monotonic);
      return tellChange(step, run);
    }
    case "attemptSucceeded":
    case "runExpired":
      return tellEnd(step, runOf(step.durable, event.value.run));
    case "attemptFailed": {
      const run = runOf(step.durable, event.value.run);
      return phases[run.phase].final ? tellEnd(step, run) : tellChange(step, run);
    }
    case "runCanceled": {
      const run = runOf(step.durable, event.value.run);
      sendCancel(step, run);
      return tellEnd(step, run);
    }
    case "runsAccepted":
      if (step.volatile.changes.size > 0) for (const number of event.value.runs) tellChange(step, runOf(step.durable, number));
      return;
    case "runReturned":
    case "runParked":
    case "retryDue":
    case "runRescheduled":
    case "waitContinued":
      return tellChange(step, runOf(step.durable, event.value.run));
    case "waitBegan": {
      const { run: number, waitId } = event.value;
      const run = runOf(step.durable, number);
      // All that it waits for ended before: keys found it.
      if (run.phase === "executing" && run.waits?.get(waitId)?.pending === 0) sendResume(step, run, waitId);
      return tellChange(step, run);
    }
    case "waitEnded": {
      const run = runOf(step.durable, event.value.run);
      if (run.phase === "executing" || run.phase === "assigned") sendResume(step, run, event.value.waitId);
      return tellChange(step, run);
    }
    case "tokenCompleted": {
      const token = step.durable.environments.get(event.value.environment)?.tokens.byNumber.get(Number(event.value.number));
      for (const { run: number, waitId } of token?.waits ?? []) {
        const run = runOf(step.durable, BigInt(number));
        if (run.phase === "executing" || run.phase === "assigned") sendResume(step, run, waitId);
        else tellChange(step, run);
      }
      return;
    }
    case "runUpdated":
      return tellChange(step, runOf(step.durable, event.value.run));
    case "versionPromoted": {
      const environment = step.durable.environments.get(event.value.environment);
      if (!environment) return;
      // Others start runs now: what is parked is tried again with all of them.
      forgetSupply(step.volatile, environment);
      for (const connection of step.volatile.connections.values()) if (connection.session.environment === environment) step.volatile.freed.add(connection);
      return;
    }
    case "tasksDeclared":
      // Runs that waited for their task to be known have another state now.
      for (const number of step.volatile.changes.keys()) {
        const run = step.durable.runs.get(number);
        if (run?.phase === "queued") tellChange(step, run);
      }
      return;
    case "payloadDropped":
      step.outbox.droppedPayloads.push({ environment: event.value.environment, reference: event.value.reference });
      return;
    default:
      return;
  }
}

/** Sends the results of a wait that has ended to the worker of the waiting run. Those that memory has forgotten are looked up first, and come back as `past`. */
export function sendResume(step: Step, run: RunRecord, waitId: number, past?: ReadonlyMap<number, RunResult>): void {
  const connection = run.session && step.volatile.connections.get(run.session);
  const wait = run.waits?.get(waitId);
  if (!connection?.open || !wait) return;
  const token = tokenOf(run);
  const results: RunResult[] = [];
  const forgotten: number[] = [];
  for (const number of wait.children) {
    const child = step.durable.runs.get(number);
    const result = child ? resultOf(child) : past?.get(number);
    if (result) results.push(result);
    else forgotten.push(number);
  }
  if (forgotten.length > 0) {
    step.outbox.lookups.push({ run, attempt: run.attempt, waitId, numbers: forgotten });
    return;
  }
  // One wait may bring more than a frame holds; the parts follow each other.
  const how = waitEndOf(wait);
  const end = how ? { end: how } : {};
  let from = 0;
  do {
    let bytes = 0;
    let to = from;
    while (to < results.length && (to === from || bytes + runResultBytes(results[to]) <= 200 * 1024)) bytes += runResultBytes(results[to++]);
    const frame = step.outbox.frame(connection, bytes + 64 + waitEndBytes(wait));
    frame.resumes.push({ $typeName: "runlane.v1.Resume", token, waitId, results: results.slice(from, to), more: to < results.length, ...end });
    from = to;
  } while (from < results.length);
}

/** Tells the worker of a cancelled run to stop it. */
export function sendCancel(step: Step, run: RunRecord): void {
  const connection = run.session && step.volatile.connections.get(run.session);
  if (!connection?.open) return;
  step.outbox.frame(connection).cancels.push({ $typeName: "runlane.v1.Cancel", token: tokenOf(run), reason: run.failure?.message ?? "" });
}

/** Tells a subscriber how a run ended. */
export function tellResult(step: Step, subscriber: string, run: RunRecord): void {
  const result = resultOf(run);
  step.outbox.notice(subscriber, runResultBytes(result)).results.push(result);
}

function sendAssignment(step: Step, run: RunRecord, resumed: boolean): void {
  const connection = run.session && step.volatile.connections.get(run.session);
  if (!connection?.open) return;
  connection.assignments += 1;
  const sequence = connection.assignments;
  const offer: Unaccepted = { run, nonce: run.nonce, connection, sequence, deadline: Number.POSITIVE_INFINITY };
  step.volatile.unaccepted.push(offer);
  step.outbox.offers.push(offer);
  const bytes = 200 + (run.payload ? run.payload.data.length : 0) + (run.extras?.metadata ? run.extras.metadata.data.length : 0);
  const settings = settingsOf(run);
  step.outbox.frame(connection, bytes).assignments.push({
    $typeName: "runlane.v1.Assignment",
    token: tokenOf(run),
    sequence: BigInt(sequence),
    runId: runIdOf(run.environment, run.number),
    taskId: run.taskId,
    attemptNumber: run.attempt,
    maxAttempts: run.maxAttempts,
    queue: run.queue.name,
    createTimeMs: BigInt(run.createMs),
    startTimeMs: BigInt(run.startMs),
    parentRunId: run.parent ? runIdOf(run.environment, run.parent) : "",
    rootRunId: run.root ? runIdOf(run.environment, run.root) : "",
    ownProcess: run.ownProcess,
    journalLength: connection.journal ? journalLengthOf(run) : 0,
    resumed,
    ...(run.payload ? { payload: run.payload } : {}),
    ...(settings ? { settings } : {}),
  });
  if (connection.journal && run.journal) sendJournal(step, connection, run);
}

function settingsOf({ environment, machine, maxDurationSeconds, extras }: RunRecord): AttemptSettings | undefined {
  if (machine === undefined && maxDurationSeconds === 0 && extras === undefined) return undefined;
  const { tags, metadata, idempotency, priorityMs, batch, test, replayOf, concurrencyKey, activeMs } = extras ?? plain;
  return {
    $typeName: "runlane.v1.AttemptSettings",
    machine: machine?.name ?? "",
    maxDurationSeconds,
    tags: [...tags],
    idempotencyKey: shownKeyOf(idempotency),
    idempotencyScope: idempotency?.scope ?? 0,
    prioritySeconds: priorityMs / 1_000,
    batchId: batch ? batchIdOf(environment, batch) : "",
    test,
    replayOfRunId: replayOf ? runIdOf(environment, replayOf) : "",
    concurrencyKey,
    earlierActiveMs: BigInt(activeMs),
    ...(metadata ? { metadata } : {}),
  };
}

const plain = createExtras();

function tellEnd(step: Step, run: RunRecord): void {
  const { results, changes } = step.volatile;
  const subscribers = results.get(run.number);
  if (subscribers) {
    results.delete(run.number);
    for (const subscriber of subscribers) tellResult(step, subscriber, run);
  }
  tellChange(step, run);
  changes.delete(run.number);
  for (let waiter = run.waiter; waiter; waiter = waiter.next) {
    // One wait may have the run several times, and its places follow each other.
    if (waiter.next?.run === waiter.run && waiter.next.waitId === waiter.waitId) continue;
    const parent = step.durable.runs.get(waiter.run);
    const wait = parent?.attempt === waiter.attempt ? parent.waits?.get(waiter.waitId) : undefined;
    if (!parent || !wait || wait.pending > 0) continue;
    // A waiting parent gets its results when it has a slot; one that executes has one.
    if (parent.phase === "executing" || parent.phase === "assigned") sendResume(step, parent, waiter.waitId);
    else tellChange(step, parent);
  }
}

function tellChange(step: Step, run: RunRecord): void {
  const subscribers = step.volatile.changes.get(run.number);
  if (!subscribers) return;
  const message = runMessageOf(step.volatile, run, step.now);
  const bytes = 300 + (run.payload?.data.length ?? 0) + (run.output?.data.length ?? 0) + (run.extras?.metadata?.data.length ?? 0);
  for (const subscriber of subscribers) step.outbox.notice(subscriber, bytes).changes.push(message);
}

function runOf(durable: Durable, number: bigint): RunRecord {
  const run = durable.runs.get(Number(number));
  if (!run) throw new Error(`run ${number} was forgotten while it was needed`);
  return run;
}
