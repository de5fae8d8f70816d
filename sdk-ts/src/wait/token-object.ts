import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Token, TokenState } from "#gen/runlane/v1/token_service_pb.js";
import { WaitpointTimeoutError } from "./waitpoint-promise.js";

/** Where a token stands. */
export type WaitpointTokenStatus = "WAITING" | "COMPLETED" | "TIMED_OUT";

/** A token as `wait.listTokens` shows it. */
export interface WaitpointListTokenItem {
  id: string;
  /** Whoever POSTs JSON there completes the token with that, without a key. */
  url: string;
  status: WaitpointTokenStatus;
  completedAt?: Date;
  timeoutAt?: Date;
  idempotencyKey?: string;
  idempotencyKeyExpiresAt?: Date;
  tags: string[];
  createdAt: Date;
}

/** A token as `wait.retrieveToken` shows it. */
export interface WaitpointRetrievedToken<T> extends WaitpointListTokenItem {
  /** What it was completed with. */
  output?: T;
  /** Set if it has timed out. */
  error?: Error;
}

/** A token as lists show it. */
export function listedToken(token: Token): WaitpointListTokenItem {
  return {
    id: token.id,
    url: token.callbackUrl,
    status: statusOf(token.state),
    ...dated("completedAt", token.finishTime),
    ...dated("timeoutAt", token.timeoutTime),
    ...(token.idempotencyKey ? { idempotencyKey: token.idempotencyKey } : {}),
    ...dated("idempotencyKeyExpiresAt", token.idempotencyKeyExpireTime),
    tags: [...token.tags],
    createdAt: token.createTime ? timestampDate(token.createTime) : new Date(0),
  };
}

/** Why a wait for a token ended without it. Trigger.dev's words. */
export function timeoutError(timeoutAt?: Date): WaitpointTimeoutError {
  return new WaitpointTimeoutError(timeoutAt ? `Waitpoint timed out at ${timeoutAt.toISOString()}` : "Waitpoint timed out");
}

/** The state that a status of Trigger.dev's stands for. @throws Error for what is none. */
export function tokenState(status: string): TokenState {
  const state = TokenState[status as keyof typeof TokenState];
  if (typeof state !== "number" || state === TokenState.UNSPECIFIED) throw new Error(`wait.listTokens: "${status}" is no status of a token`);
  return state;
}

function statusOf(state: TokenState): WaitpointTokenStatus {
  if (state === TokenState.COMPLETED) return "COMPLETED";
  return state === TokenState.TIMED_OUT ? "TIMED_OUT" : "WAITING";
}

function dated<K extends string>(name: K, time: Timestamp | undefined): { [name in K]?: Date } {
  return time ? ({ [name]: timestampDate(time) } as { [name in K]?: Date }) : {};
}
