import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { CreateTokenRequest } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { outputFault } from "./attempt-outcome.js";
import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import { tokenCompleted, tokenCreated, tokenForgotten } from "./events.js";
import type { RefusalData } from "./run-record.js";
import { emit, type Step } from "./step.js";
import { endedTokenRetention, openTokenCap, tokenKeyLifeMs, type WaitToken } from "./wait-token.js";

/** Events of one tick that forget tokens at most: what is left over is due at once. */
const forgottenTogether = 5_000;

/** Creates a token, or finds the one that a key, or an earlier copy of the request, has made. */
export function decideCreateToken(
  step: Step,
  environment: Environment,
  request: CreateTokenRequest,
  secret: string,
): { readonly token: WaitToken; readonly cached: boolean } | RefusalData {
  const { tokens } = environment;
  const before = request.requestId === "" ? undefined : tokens.byRequest.get(request.requestId);
  if (before) return { token: before, cached: false };
  const named = request.idempotencyKey === "" ? undefined : tokens.byKey.get(request.idempotencyKey);
  if (named && named.keyExpireMs > step.now) return { token: named, cached: true };
  if (tokens.open >= openTokenCap)
    return { reason: "TOKENS_FULL", message: `the environment has ${openTokenCap} tokens that nobody has completed, which is its cap; give tokens a time-out` };
  const number = tokens.next;
  emit(
    step,
    tokenCreated(environment.name, number, secret, {
      timeoutMs: request.timeout ? endOf(step, request.timeout) : 0,
      key: request.idempotencyKey,
      keyExpireMs:
        request.idempotencyKey === ""
          ? 0
          : step.now + Math.min(tokenKeyLifeMs, request.idempotencyKeyTtl ? durationMs(request.idempotencyKeyTtl) : tokenKeyLifeMs),
      tags: request.tags,
      timer: request.timer,
      requestId: request.requestId,
    }),
  );
  return { token: tokens.byNumber.get(number) as WaitToken, cached: false };
}

/** Completes a token. One that has ended stays as it is. */
export function decideCompleteToken(step: Step, environment: Environment, token: WaitToken, output: Payload | undefined): RefusalData | undefined {
  if (token.state !== "waiting") return undefined;
  const fault = output && outputFault({ environment }, output);
  if (fault) return { reason: "INVALID_FIELD", message: `output: ${fault}` };
  emit(step, tokenCompleted(environment.name, token.number, output, false));
  return undefined;
}

/** Ends tokens whose time has come, and forgets what ended long ago. */
export function decideTokensDue(step: Step): void {
  for (const environment of step.durable.environments.values()) {
    const { due, ended, byNumber } = environment.tokens;
    for (let token = due.peek(); token && (token.state !== "waiting" || token.timeoutMs <= step.now); token = due.peek()) {
      due.pop();
      // It may have been completed, and forgotten, meanwhile.
      if (token.state === "waiting") emit(step, tokenCompleted(environment.name, token.number, undefined, !token.timer));
      if (step.events.length >= forgottenTogether) return;
    }
    for (let token = ended.peek(); token && isSurplus(environment, token, step.now); token = ended.peek()) {
      ended.shift();
      // After a replay those that were forgotten before stand here again.
      if (byNumber.get(token.number) === token) emit(step, tokenForgotten(environment.name, token.number));
      if (step.events.length >= forgottenTogether) return;
    }
  }
}

/** When the next token is due for that, in milliseconds of the Unix epoch; undefined if none is. */
export function tokensDue({ environments, now }: Durable): number | undefined {
  let first = Number.POSITIVE_INFINITY;
  for (const { tokens } of environments.values()) {
    const due = tokens.due.peek();
    if (due) first = Math.min(first, due.timeoutMs);
    const ended = tokens.ended.peek();
    if (ended) first = Math.min(first, tokens.ended.size > endedTokenRetention.count ? now : ended.finishMs + endedTokenRetention.ms);
  }
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

function isSurplus({ tokens }: Environment, token: WaitToken, nowMs: number): boolean {
  return tokens.ended.size > endedTokenRetention.count || token.finishMs + endedTokenRetention.ms <= nowMs;
}

/** Counted from when it was asked, not from the time of the batch, which may be earlier: nothing times out early. */
function endOf({ clock }: Step, timeout: Duration): number {
  return Math.max(1, clock + Math.ceil(durationMs(timeout)));
}
