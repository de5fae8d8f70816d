import { currentRunRuntime } from "../runtime/run-runtime.js";

/** What something took. */
export interface ComputeUsage {
  /** Always 0: runs cost nothing on your own machines. Here for code written for Trigger.dev. */
  costInCents: number;
  /** In milliseconds. Time in which the run waits for other runs does not count. */
  durationMs: number;
}

/** What the run that calls has taken so far. Costs are always 0, see {@link ComputeUsage}. */
export interface CurrentUsage {
  compute: {
    /** The present attempt. */
    attempt: ComputeUsage;
    /** The run: this attempt and those that failed before it. Of an attempt that was lost, or cut off, nothing is known, and so nothing counted. */
    total: ComputeUsage;
  };
  baseCostInCents: number;
  totalCostInCents: number;
}

/** How long code takes. */
export const usage = {
  /** What the run that calls has taken so far; zeros outside a run. */
  getCurrent(): CurrentUsage {
    const runtime = currentRunRuntime();
    const { activeMs = 0, earlierActiveMs = 0 } = runtime ?? {};
    return { compute: { attempt: compute(activeMs), total: compute(earlierActiveMs + activeMs) }, baseCostInCents: 0, totalCostInCents: 0 };
  },

  /**
   * Measures a function. Outside a run, too.
   *
   * @throws what it throws
   */
  async measure<T>(fn: () => Promise<T>): Promise<{ result: T; compute: ComputeUsage }> {
    const runtime = currentRunRuntime();
    const activeMs = () => performance.now() - (runtime?.waitedMs ?? 0);
    const start = activeMs();
    const result = await fn();
    return { result, compute: compute(Math.max(0, activeMs() - start)) };
  },
};

function compute(durationMs: number): ComputeUsage {
  return { costInCents: 0, durationMs };
}
