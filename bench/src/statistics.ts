/** What is said of a number of latencies, in milliseconds. */
export interface Summary {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
}

/** The value below or at which a `part` (0 to 1) of the values lie, by nearest rank: always one of the values. NaN for no values. */
export function percentile(values: readonly number[], part: number): number {
  return rank([...values].sort(ascending), part);
}

/** The median: the value in the middle, or the mean of the two there. NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort(ascending);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Number, median and 99th percentile of latencies. Both are values that occurred. */
export function summarize(latencies: readonly number[]): Summary {
  const sorted = [...latencies].sort(ascending);
  return { n: sorted.length, p50: rank(sorted, 0.5), p99: rank(sorted, 0.99) };
}

function rank(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

function ascending(a: number, b: number): number {
  return a - b;
}
