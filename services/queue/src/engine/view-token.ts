import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { WaitToken as WaitTokenMessage } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { TokenSchema, TokenState } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import type { WaitEnd } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Environment } from "./environment.js";
import { tokenIdOf } from "./run-id.js";
import type { Wait } from "./run-record.js";
import type { WaitToken } from "./wait-token.js";

const states = { waiting: TokenState.WAITING, completed: TokenState.COMPLETED, "timed out": TokenState.TIMED_OUT } as const;

/** The state of a token as the API names it. */
export function tokenStateOf({ state }: WaitToken): TokenState {
  return states[state];
}

/** A token as the API shows it, and its secret, which only its creator is shown. */
export function tokenMessageOf(environment: Environment, token: WaitToken): WaitTokenMessage {
  const { number, secret, createMs, timeoutMs, finishMs, output, tags, key, keyExpireMs } = token;
  return {
    $typeName: "runlane.internal.v1.WaitToken",
    token: create(TokenSchema, {
      id: tokenIdOf(environment, number),
      state: tokenStateOf(token),
      createTime: timestampFromMs(createMs),
      ...(timeoutMs > 0 && { timeoutTime: timestampFromMs(timeoutMs) }),
      ...(finishMs > 0 && { finishTime: timestampFromMs(finishMs) }),
      ...(output && { output }),
      tags: [...tags],
      idempotencyKey: key,
      ...(keyExpireMs > 0 && { idempotencyKeyExpireTime: timestampFromMs(keyExpireMs) }),
    }),
    callbackSecret: secret,
  };
}

/** How a wait for a time or a token ended; undefined for one that is for runs. */
export function waitEndOf({ untilMs, token, output, timedOut }: Wait): WaitEnd | undefined {
  if (untilMs === 0 && token === 0) return undefined;
  return { $typeName: "runlane.v1.WaitEnd", timedOut, ...(output && { output }) };
}

/** About how many bytes the end of a wait has. */
export function waitEndBytes({ output }: Wait): number {
  return output ? 40 + output.data.length : 0;
}
