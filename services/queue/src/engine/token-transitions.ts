import type { TokenCompleted, TokenCreated, WaitBegan } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { phases } from "./phase.js";
import type { RunRecord, Wait } from "./run-record.js";
import { endWait, openWaiterOf, refer, setPhase, unrefer } from "./transitions.js";
import { UnexpectedEvent } from "./unexpected-event.js";
import { indexToken, type TokenWait, type WaitToken } from "./wait-token.js";

/** How many waits a token lists before those that are over are left out. */
const waitsSwept = 64;

/** A token comes to be. */
export function createToken(durable: Durable, { tokens }: Environment, event: TokenCreated): void {
  const token: WaitToken = {
    number: Number(event.number),
    secret: event.secret,
    createMs: durable.now,
    timeoutMs: Number(event.timeoutMs),
    key: event.key,
    keyExpireMs: Number(event.keyExpireMs),
    tags: event.tags,
    timer: event.timer,
    requestId: event.requestId,
    state: "waiting",
    finishMs: 0,
    output: undefined,
    waits: [],
  };
  tokens.byNumber.set(token.number, token);
  tokens.next = token.number + 1;
  indexToken(tokens, token);
}

/** A token ends, and with it every wait for it. */
export function endToken(durable: Durable, environment: Environment, { number, output, timedOut }: TokenCompleted): void {
  const { tokens } = environment;
  const token = tokenOf(environment, number);
  if (token.state !== "waiting") throw new UnexpectedEvent(`token ${number} ends a second time`);
  token.state = timedOut ? "timed out" : "completed";
  token.finishMs = durable.now;
  token.output = output;
  if (output?.reference) refer(environment, output.reference);
  tokens.open -= 1;
  tokens.ended.push(token);
  // In an order that does not depend on what was listed when.
  token.waits = token.waits.filter((each) => openWaitOf(durable, each)).sort((a, b) => a.run - b.run || a.waitId - b.waitId);
  for (const each of token.waits) {
    const run = durable.runs.get(each.run) as RunRecord;
    const wait = openWaitOf(durable, each) as Wait;
    wait.pending = 0;
    takeEnd(run, wait, token);
    endWait(durable, run, wait);
  }
}

/** A token is forgotten; what its waits brought stays with the runs. */
export function forgetToken(durable: Durable, environment: Environment, number: bigint): void {
  const { tokens } = environment;
  const token = tokenOf(environment, number);
  tokens.byNumber.delete(token.number);
  if (tokens.byKey.get(token.key) === token) tokens.byKey.delete(token.key);
  if (tokens.byRequest.get(token.requestId) === token) tokens.byRequest.delete(token.requestId);
  if (token.output?.reference) unrefer(durable, environment, token.output.reference);
}

/** Begins a wait: for runs, a time or a token. */
export function beginWait(durable: Durable, run: RunRecord, event: WaitBegan): void {
  const untilMs = Number(event.untilMs);
  const wait: Wait = {
    children: event.children.map(Number),
    untilMs,
    token: Number(event.token),
    pending: 0,
    delivered: false,
    commandId: 0,
    ended: 0,
    unseen: false,
    output: undefined,
    timedOut: false,
  };
  run.waits ??= new Map();
  run.waits.set(event.waitId, wait);
  for (const number of wait.children) {
    const child = durable.runs.get(number);
    if (!child && number >= durable.nextRun) throw new UnexpectedEvent(`run ${run.number} waits for run ${number}, which does not exist`);
    // A run that memory has forgotten was found by a key, and is final.
    if (!child || phases[child.phase].final) continue;
    wait.pending += 1;
    child.waiter = { run: run.number, attempt: run.attempt, waitId: event.waitId, next: openWaiterOf(durable, child.waiter) };
  }
  if (untilMs > durable.now) {
    wait.pending = 1;
    durable.due.push({ atMs: untilMs, run, attempt: run.attempt, waitId: event.waitId });
  }
  if (wait.token > 0) waitForToken(durable, run, event.waitId, wait);
  if (wait.pending === 0) return endWait(durable, run, wait);
  if (run.phase === "executing") setPhase(durable, run, "waiting");
}

function waitForToken(durable: Durable, run: RunRecord, waitId: number, wait: Wait): void {
  const token = tokenOf(run.environment, BigInt(wait.token));
  if (token.state !== "waiting") return takeEnd(run, wait, token);
  wait.pending = 1;
  const { length } = token.waits;
  // At powers of two: code that waits for one token again and again must not be remembered each time.
  if (length >= waitsSwept && (length & (length - 1)) === 0) token.waits = token.waits.filter((each) => openWaitOf(durable, each));
  token.waits.push({ run: run.number, attempt: run.attempt, waitId });
}

/** What a wait brings stays with it: the token may be forgotten before the run's journal is. */
function takeEnd(run: RunRecord, wait: Wait, { output, state }: WaitToken): void {
  wait.output = output;
  wait.timedOut = state === "timed out";
  // As long as the run exists, which is for ever: it is in the log.
  if (output?.reference) refer(run.environment, output.reference);
}

/** The wait, if it is open still. */
export function openWaitOf(durable: Durable, { run: number, attempt, waitId }: TokenWait): Wait | undefined {
  const run = durable.runs.see(number);
  const wait = run?.attempt === attempt ? run.waits?.get(waitId) : undefined;
  return wait && wait.pending > 0 ? wait : undefined;
}

function tokenOf({ name, tokens }: Environment, number: bigint): WaitToken {
  const token = tokens.byNumber.get(Number(number));
  if (!token) throw new UnexpectedEvent(`environment ${name} has no token ${number}, or it ended long ago`);
  return token;
}
