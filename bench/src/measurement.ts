import type { Shape } from "./options.js";
import { median } from "./statistics.js";

/** What a workload has found. */
export interface Figure {
  /** What was measured: "latency", "throughput_256_in_flight". */
  readonly metric: string;
  readonly value: number;
  readonly unit: "ms" | "s" | "runs/s" | "%" | "MB" | "B" | "% of empty";
  /** Latencies in milliseconds, where there are many. */
  readonly p50?: number;
  readonly p99?: number;
  /** How many calls, runs or seconds it rests upon. */
  readonly n: number;
  /** What else is to be known. */
  readonly note: string;
}

/** A figure, and what it is a figure of. */
export interface Measurement extends Figure {
  readonly workload: string;
  readonly system: "runlane" | "bullmq";
  /** How the system writes to disk, in its own words: "always", "lazy", "everysec". */
  readonly sync: string;
  readonly shape: Shape;
}

/** The line of JSON for programs. */
export function jsonLine({ system, workload, metric, value, unit, p50, p99, n, sync, shape, note }: Measurement): string {
  return JSON.stringify({ workload, metric, value: rounded(value), unit, p50_ms: rounded(p50), p99_ms: rounded(p99), n, sync, shape, note, system });
}

/** The medians of the same figure of several runs; the note is that of the run in the middle, with the range. One run is its own median. */
export function medianFigure(figures: readonly Figure[]): Figure {
  const sorted = [...figures].sort((a, b) => a.value - b.value);
  const middle = sorted[(sorted.length - 1) >> 1]!;
  if (sorted.length === 1) return middle;
  const range = `median of ${sorted.length} runs, ${rounded(sorted[0]!.value)} to ${rounded(sorted.at(-1)!.value)}`;
  return {
    ...middle,
    value: median(figures.map((figure) => figure.value)),
    p50: middle.p50 === undefined ? undefined : median(figures.map((figure) => figure.p50!)),
    p99: middle.p99 === undefined ? undefined : median(figures.map((figure) => figure.p99!)),
    note: middle.note === "" ? range : `${middle.note}; ${range}`,
  };
}

/** Four significant digits, all digits of whole numbers; null for what is not there. */
function rounded(value: number | undefined): number | null {
  if (value === undefined) return null;
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));
}
