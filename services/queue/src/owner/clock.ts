import { randomBytes } from "node:crypto";

/** Where the shell gets time and randomness from; tests drive a fake one. */
export interface Clock {
  /** Wall clock, in milliseconds of the Unix epoch. */
  now(): number;
  /** A clock that only goes forward, in milliseconds. */
  monotonic(): number;
  /** A random number in [0, 1). */
  random(): number;
  /** A text of letters and digits that nobody can guess. */
  secret(): string;
  /** Calls `due` once after at least `ms` milliseconds; returns how to call it off. */
  after(ms: number, due: () => void): () => void;
  /** Calls `due` once what arrives together has been handled: frames of one poll phase share an append. */
  soon(due: () => void): void;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: Math.random,
  // 160 bits.
  secret: () => randomBytes(20).toString("hex"),
  after(ms, due) {
    const timer = setTimeout(due, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
  soon: (due) => void setImmediate(due),
};

/** The day of a time, in UTC, as YYYYMMDD. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll("-", "");
}
