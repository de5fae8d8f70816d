/** A limit as code declares it, and as somebody has overridden it. Changed by `apply` only. */
export interface Bound {
  /** What code declares; undefined: no limit. */
  base: number | undefined;
  /** What holds instead; undefined: nothing. */
  override: number | undefined;
  /** When it was overridden, in milliseconds of the Unix epoch; 0 if it was not. */
  overrideMs: number;
}

/** No limit. */
export function createBound(): Bound {
  return { base: undefined, override: undefined, overrideMs: 0 };
}

/** What holds; undefined: no limit. */
export function currentOf({ base, override }: Bound): number | undefined {
  return override ?? base;
}

/** Overrides it, or with undefined lets what code declares hold again. */
export function override(bound: Bound, value: number | undefined, nowMs: number): void {
  bound.override = value;
  bound.overrideMs = value === undefined ? 0 : nowMs;
}
