import type { RunRecord } from "./run-record.js";

/** Bytes of an attempt token: run number, attempt, epoch and a random nonce, which workers use for their digest. */
const size = 28;

/** The fencing token of a run's present attempt. */
export function tokenOf(run: RunRecord): Uint8Array {
  const token = new Uint8Array(size);
  const view = new DataView(token.buffer);
  view.setFloat64(0, run.number);
  view.setUint32(8, run.attempt);
  view.setBigUint64(12, run.epoch);
  view.setBigUint64(20, run.nonce);
  return token;
}

/** Number of the run that a token speaks of, or undefined if it is no token. */
export function runOfToken(token: Uint8Array): number | undefined {
  if (token.length !== size) return undefined;
  return new DataView(token.buffer, token.byteOffset, size).getFloat64(0);
}

/** Whether a token is the one of the run's present attempt. */
export function matchesToken(run: RunRecord, token: Uint8Array): boolean {
  if (token.length !== size) return false;
  const view = new DataView(token.buffer, token.byteOffset, size);
  return view.getUint32(8) === run.attempt && view.getBigUint64(20) === run.nonce && view.getBigUint64(12) === run.epoch && view.getFloat64(0) === run.number;
}
