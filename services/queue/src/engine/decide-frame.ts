import type { Failure } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import {
  type AttemptCommand,
  type AttemptResult,
  type Heartbeat,
  type HeldList,
  ResultDisposition,
  type WorkRequest,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { boundFailure, outputError, outputFault } from "./attempt-outcome.js";
import { decideCommand } from "./decide-command.js";
import { heldRun, reconcile } from "./decide-hello.js";
import { decideReturn, decideSessionEnd } from "./decide-lost.js";
import { sendCancel } from "./effects.js";
import { attemptFailed, attemptSucceeded, cancelConfirmed, runsAccepted } from "./events.js";
import { isFinalFailure } from "./failure-state.js";
import { machines } from "./machine.js";
import { phases } from "./phase.js";
import type { RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import type { Connection } from "./volatile.js";

/** Longest retry delay that a worker may ask for: 30 days. */
const maxRetryDelayMs = 30 * 24 * 60 * 60_000;

/** An attempt that says to have been active for longer is not believed: 366 days. */
const mostActiveMs = 366 * 24 * 60 * 60_000;

/** Handles a frame of an open session, its fields in the order of their numbers. */
export function decideFrame(step: Step, connection: Connection, frame: WorkRequest): void {
  step.volatile.heard.set(connection.session, step.monotonic);
  step.volatile.freed.add(connection);
  if (frame.accepted.length > 0) accept(step, connection, frame.accepted);
  for (const { token } of frame.declined) {
    const run = heldRun(step, connection.session, token);
    if (run?.phase === "assigned") decideReturn(step, run);
  }
  for (const command of frame.commands) takeCommand(step, connection, command);
  for (const result of frame.results) takeResult(step, connection, result);
  for (const token of frame.cancelConfirmed) {
    const run = heldRun(step, connection.session, token);
    if (run && phases[run.phase].final) emit(step, cancelConfirmed(run));
    receipt(step, connection, token, run ? ResultDisposition.RECORDED : ResultDisposition.STALE);
  }
  if (frame.heartbeat) answerHeartbeat(step, connection, frame.heartbeat);
  if (frame.heldList) takeHeldList(step, connection, frame.heldList);
  if (frame.drain) connection.draining = true;
}

/** The stream of a session has ended. The lease goes on, unless the worker had said goodbye and holds nothing. */
export function decideClosed(step: Step, connection: Connection): void {
  connection.open = false;
  step.volatile.streams.delete(connection.streamId);
  if (connection.draining && connection.session.runs.size === 0) decideSessionEnd(step, connection.session, "the worker has ended");
}

function accept(step: Step, connection: Connection, tokens: readonly Uint8Array[]): void {
  const runs: RunRecord[] = [];
  for (const token of tokens) {
    const run = heldRun(step, connection.session, token);
    if (!run) step.outbox.frame(connection).lost.push(token);
    else if (run.phase === "assigned") runs.push(run);
  }
  if (runs.length > 0) emit(step, runsAccepted(runs));
}

function takeCommand(step: Step, connection: Connection, command: AttemptCommand): void {
  const run = heldRun(step, connection.session, command.token);
  if (run?.phase === "assigned") emit(step, runsAccepted([run]));
  decideCommand(step, connection, run, command);
}

function takeResult(step: Step, connection: Connection, { token, outcome }: AttemptResult): void {
  const run = heldRun(step, connection.session, token);
  if (!run) return receipt(step, connection, token, ResultDisposition.STALE);
  if (phases[run.phase].final) {
    // It was cancelled meanwhile: the result changes nothing, but says that the code has ended.
    emit(step, cancelConfirmed(run));
    return receipt(step, connection, token, ResultDisposition.STALE);
  }
  receipt(step, connection, token, ResultDisposition.RECORDED);
  switch (outcome.case) {
    case "output": {
      const fault = outputFault(run, outcome.value);
      return emit(step, fault !== undefined ? attemptFailed(run, outputError(fault), undefined, false) : attemptSucceeded(run, outcome.value));
    }
    case "failure": {
      const { retryDelay, processLost } = outcome.value;
      // More memory helps only if it is another machine.
      const retryMachine = machines.has(outcome.value.retryMachine) && outcome.value.retryMachine !== run.machine?.name ? outcome.value.retryMachine : "";
      const failure = boundFailure(outcome.value.failure);
      const delayMs = processLost ? 0 : retryDelay && Number(retryDelay.seconds) * 1_000 + Math.ceil(retryDelay.nanos / 1e6);
      const more = delayMs !== undefined && run.attempt < run.maxAttempts && mayRetry(run, failure, processLost, retryMachine);
      const retryAt = more ? step.now + Math.min(Math.max(delayMs, 0), maxRetryDelayMs) : undefined;
      const activeMs = more ? activeTime(outcome.value.activeMs) : 0;
      return emit(step, attemptFailed(run, failure, retryAt, processLost, more ? retryMachine : "", activeMs));
    }
    case "release":
      return decideReturn(step, run);
    case undefined:
      // A result of nothing: a task that returns no value.
      return emit(step, attemptSucceeded(run, undefined));
  }
}

/** What a worker says of its attempt, or nothing if that cannot be: sums of it must stay numbers. */
function activeTime(said: bigint | undefined): number {
  return said === undefined || said > mostActiveMs ? 0 : Number(said);
}

/**
 * Whether a failure leaves another attempt a chance. Whose process died together with others' may not have been at fault: the next attempt, which has a process of its own, will tell.
 */
function mayRetry({ ownProcess, machine }: RunRecord, failure: Failure | undefined, processLost: boolean, retryMachine: string): boolean {
  return retryMachine !== "" || !isFinalFailure(failure) || (processLost && !ownProcess && machine === undefined);
}

function receipt(step: Step, connection: Connection, token: Uint8Array, disposition: ResultDisposition): void {
  step.outbox.frame(connection, 40).receipts.push({ $typeName: "runlane.v1.ResultReceipt", token, disposition });
}

function answerHeartbeat(step: Step, connection: Connection, heartbeat: Heartbeat): void {
  let count = 0;
  let digest = 0n;
  for (const run of connection.session.runs) {
    if (phases[run.phase].final) sendCancel(step, run);
    if (run.phase === "assigned") continue;
    count += 1;
    digest ^= run.nonce;
  }
  step.outbox.frame(connection).heartbeat = {
    $typeName: "runlane.v1.HeartbeatAnswer",
    sequence: heartbeat.sequence,
    listHeld: count !== heartbeat.heldCount || digest !== heartbeat.heldDigest,
  };
}

function takeHeldList(step: Step, connection: Connection, list: HeldList): void {
  const sequences = new Map<RunRecord, number>();
  const pending = step.volatile.unaccepted;
  pending.forEach((entry) => {
    if (entry.connection === connection && entry.run.nonce === entry.nonce) sequences.set(entry.run, entry.sequence);
  });
  reconcile(step, connection, list.held, (run) => (sequences.get(run) ?? 0) <= Number(list.assignmentSequence));
}
