import type { IdempotencyKeyScope } from "./idempotency-key.js";

/** What a key was made of. */
export interface KeyOrigin {
  /** As its author wrote it; the parts of a list joined by "-". */
  readonly key: string;
  readonly scope: IdempotencyKeyScope;
}

/** Keys that are remembered; older ones are forgotten, and then shown by their hash. */
const mostKeys = 1_000;

/** What the keys of this process were made of, by their hash, for people who look at runs. Behind Symbol.for: a key may be made by one copy of the SDK and used by another. */
const symbol = Symbol.for("runlane.idempotency-keys.v1");

function origins(): Map<string, KeyOrigin> {
  const holder = globalThis as { [symbol]?: Map<string, KeyOrigin> };
  holder[symbol] ??= new Map();
  return holder[symbol];
}

/** Remembers what a key was made of. */
export function rememberOrigin(hash: string, origin: KeyOrigin): void {
  const known = origins();
  known.delete(hash);
  known.set(hash, origin);
  if (known.size > mostKeys) known.delete(known.keys().next().value!);
}

/** What a key was made of; undefined if it was not made here, or long ago. */
export function originOf(hash: string): KeyOrigin | undefined {
  return origins().get(hash);
}
