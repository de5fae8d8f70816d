import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { Fifo } from "./fifo.js";
import { SweptHeap } from "./swept-heap.js";

/** How long, and how many of an environment, tokens are kept after their end. */
export const endedTokenRetention = { ms: 30 * 24 * 60 * 60_000, count: 100_000 } as const;

/** Tokens that an environment may have that have not ended; more are refused with TOKENS_FULL. One that nobody completes, and that has no time-out, stays for ever. */
export const openTokenCap = 1_000_000;

/** How long an idempotency key finds its token, at most and unless asked otherwise, in milliseconds. */
export const tokenKeyLifeMs = 30 * 24 * 60 * 60_000;

/** Something for which runs wait until somebody completes it. Changed by `apply` only. */
export interface WaitToken {
  /** Counts the environment's tokens from 1; part of the token's id. */
  readonly number: number;
  /** Who knows it may complete the token without a key. */
  readonly secret: string;
  readonly createMs: number;
  /** When it times out, in milliseconds of the Unix epoch; 0: never. */
  readonly timeoutMs: number;
  /** Its idempotency key; empty for none. */
  readonly key: string;
  /** When the key ends; 0 without one. */
  readonly keyExpireMs: number;
  readonly tags: readonly string[];
  /** It stands for a wait for a time: its time-out completes it. */
  readonly timer: boolean;
  /** The request that asked for it; empty if that had no name. */
  readonly requestId: string;
  state: "waiting" | "completed" | "timed out";
  /** 0 before its end. */
  finishMs: number;
  /** What it was completed with. */
  output: Payload | undefined;
  /** Waits of runs for it that were open when they were listed, or when it ended. An index. */
  waits: TokenWait[];
}

/** A run's wait, as seen from the token. */
export interface TokenWait {
  readonly run: number;
  readonly attempt: number;
  readonly waitId: number;
}

/** The tokens of an environment. */
export interface WaitTokens {
  /** Number of the next one. */
  next: number;
  readonly byNumber: Map<number, WaitToken>;
  /** The newest token of each idempotency key, as long as it is kept. An index. */
  readonly byKey: Map<string, WaitToken>;
  /** Tokens of requests with a name, as long as they are kept. An index. */
  readonly byRequest: Map<string, WaitToken>;
  /** Those that have ended, in the order of their end, for forgetting them. An index. */
  readonly ended: Fifo<WaitToken>;
  /** Those that time out, by when. An index. */
  readonly due: SweptHeap<WaitToken>;
  /** How many have not ended. An index. */
  open: number;
}

/** None. */
export function createWaitTokens(): WaitTokens {
  return {
    next: 1,
    byNumber: new Map(),
    byKey: new Map(),
    byRequest: new Map(),
    ended: new Fifo(),
    due: new SweptHeap(
      (a, b) => a.timeoutMs < b.timeoutMs || (a.timeoutMs === b.timeoutMs && a.number < b.number),
      (token) => token.state === "waiting",
    ),
    open: 0,
  };
}

/** Puts a token into the indexes, all but those of its end. */
export function indexToken(tokens: WaitTokens, token: WaitToken): void {
  if (token.key !== "") tokens.byKey.set(token.key, token);
  if (token.requestId !== "") tokens.byRequest.set(token.requestId, token);
  if (token.state !== "waiting") return;
  tokens.open += 1;
  if (token.timeoutMs > 0) tokens.due.push(token);
}

/** Makes the indexes anew from the tokens. The waits for them come from the runs, behind this. */
export function reindexTokens(tokens: WaitTokens): void {
  tokens.byKey.clear();
  tokens.byRequest.clear();
  tokens.ended.clear();
  tokens.due.clear();
  tokens.open = 0;
  const ended: WaitToken[] = [];
  for (const token of tokens.byNumber.values()) {
    token.waits = [];
    indexToken(tokens, token);
    if (token.state !== "waiting") ended.push(token);
  }
  ended.sort((a, b) => a.finishMs - b.finishMs || a.number - b.number);
  for (const token of ended) tokens.ended.push(token);
}
