import { nowMs, sleep } from "../clock.js";

/** Calls at fixed instants. */
export interface Rate {
  readonly perSecond: number;
  readonly seconds: number;
}

/**
 * Calls `act` `perSecond` times a second for `seconds`, each with its index and the instant at which it was due, whether earlier calls have been answered or not. What is late is made up for at
 * once. Resolves when every call has its answer; fails with the first that fails.
 */
export async function atRate({ perSecond, seconds }: Rate, act: (index: number, dueMs: number) => Promise<void>): Promise<void> {
  const count = perSecond * seconds;
  const interval = 1_000 / perSecond;
  const began = nowMs();
  const acts: Promise<void>[] = [];
  while (acts.length < count) {
    const dueMs = began + acts.length * interval;
    const early = dueMs - nowMs();
    if (early > 0) await sleep(early);
    else acts.push(act(acts.length, dueMs));
  }
  await Promise.all(acts);
}
