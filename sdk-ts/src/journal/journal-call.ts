import { createHash } from "node:crypto";
import { JournalKind } from "#gen/runlane/v1/worker_service_pb.js";

/** Characters of a call's name, as the protocol bounds them. */
export const longestName = 256;
/** Bytes of a hash: enough that no two calls of a run share one by chance. */
const hashBytes = 16;

const noHash = new Uint8Array(0);

/** A call of a run's code that its journal remembers: what of it tells it from the others, but for those that are the same. */
export interface JournalCall {
  readonly kind: JournalKind;
  /** What it concerns: a task, a token, a step. At most 256 characters. */
  readonly name: string;
  /** Hash of its arguments; empty for none. See {@link hashOf}. */
  readonly hash: Uint8Array;
}

/** Makes a call of its arguments. */
export function journalCall(kind: JournalKind, name: string, ...args: readonly (string | Uint8Array)[]): JournalCall {
  return { kind, name, hash: args.length === 0 ? noHash : hashOf(args) };
}

/** Hash of the arguments of a call: SHA-256, cut to 16 bytes. */
export function hashOf(args: readonly (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  // Lengths keep ["ab", "c"] and ["a", "bc"] apart.
  for (const arg of args) hash.update(`${arg.length}:`).update(arg);
  return hash.digest().subarray(0, hashBytes);
}

/** A call as text, by which it is found again. */
export function callText({ kind, name, hash }: JournalCall): string {
  return `${kind}:${hash.length === 0 ? "" : Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("latin1")}:${name}`;
}

/** A call as people read it. */
export function describeCall({ kind, name }: Pick<JournalCall, "kind" | "name">): string {
  switch (kind) {
    case JournalKind.TRIGGER:
      return `a trigger of "${name}"`;
    case JournalKind.TRIGGER_AND_WAIT:
      return `a wait for runs of "${name}"`;
    case JournalKind.WAIT_TIME:
      return `wait.${name}`;
    case JournalKind.WAIT_TOKEN:
      return `a wait for the token ${name}`;
    case JournalKind.STEP:
      return `step "${name}"`;
    case JournalKind.CREATE_TOKEN:
      return "wait.createToken";
    default:
      return `a call of kind ${kind}, "${name}"`;
  }
}
