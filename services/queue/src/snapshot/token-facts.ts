import type { SnapshotToken } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { tokenCompleted, tokenCreated } from "../engine/events.js";
import type { WaitToken } from "../engine/wait-token.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";

/** A token as a snapshot says it: in the words of the events that made it what it is. The environment stands beside them. */
export function tokenFacts(token: WaitToken, environment: number): SnapshotToken {
  const created = tokenCreated("", token.number, token.secret, token).event;
  const end = tokenCompleted("", token.number, token.output, token.state === "timed out").event;
  return {
    $typeName: "runlane.internal.v1.SnapshotToken",
    environment,
    createMs: BigInt(token.createMs),
    finishMs: BigInt(token.finishMs),
    ...(created.case === "tokenCreated" && { created: created.value }),
    ...(token.state !== "waiting" && end.case === "tokenCompleted" && { end: end.value }),
  };
}

/** The token that a snapshot says. */
export function tokenOfFacts({ created, end, createMs, finishMs }: SnapshotToken): WaitToken {
  if (!created) throw new SnapshotUnreadable("the snapshot has a token that was not created");
  const { number, secret, timeoutMs, key, keyExpireMs, tags, timer, requestId } = created;
  return {
    number: Number(number),
    secret,
    createMs: Number(createMs),
    timeoutMs: Number(timeoutMs),
    key,
    keyExpireMs: Number(keyExpireMs),
    tags,
    timer,
    requestId,
    state: end ? (end.timedOut ? "timed out" : "completed") : "waiting",
    finishMs: Number(finishMs),
    output: end?.output,
    waits: [],
  };
}
