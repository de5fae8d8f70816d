import type { Figure, Measurement } from "./measurement.js";
import type { Sync } from "./options.js";

/** What a figure should reach on two shared cores: `value` in the figure's unit, or p50 and p99 in milliseconds. */
export type Bar = { readonly value: number } | { readonly p50: number; readonly p99: number };

const rate = (value: number): Bar => ({ value });
const latency = (p50: number, p99: number): Bar => ({ p50, p99 });

/** By workload and metric: the bar with every write on disk, and the one without. */
const bars: Readonly<Record<string, Readonly<Record<Sync, Bar>>>> = {
  "ack latency": { always: latency(1.6, 8), lazy: latency(1, 6) },
  "wait latency": { always: latency(2.5, 8), lazy: latency(1.6, 6) },
  "e2e throughput_256_in_flight": { always: rate(12_000), lazy: rate(14_000) },
  "e2e throughput_5000_in_flight": { always: rate(20_000), lazy: rate(20_000) },
  "isolated throughput": { always: rate(500), lazy: rate(500) },
  "enqueue throughput": { always: rate(30_000), lazy: rate(30_000) },
  "bulk throughput": { always: rate(30_000), lazy: rate(30_000) },
  "pickup latency": { always: latency(2, 12), lazy: latency(1.5, 8) },
  "load latency": { always: latency(8, 50), lazy: latency(5, 40) },
  "kill restart": { always: rate(1.5), lazy: rate(1.5) },
  "recover first_acknowledgement": { always: rate(1.5), lazy: rate(1.5) },
  "idle cpu": { always: rate(2), lazy: rate(2) },
  "idle memory": { always: rate(250), lazy: rate(250) },
  "series throughput": { always: rate(500), lazy: rate(500) },
  "backlog memory_per_run": { always: rate(100), lazy: rate(100) },
  "backlog enqueue_with_backlog": { always: rate(60), lazy: rate(60) },
  "backlog dispatch_with_backlog": { always: rate(60), lazy: rate(60) },
  "backlog restart": { always: rate(6), lazy: rate(6) },
  "finished restart": { always: rate(3), lazy: rate(3) },
};

/** The same for three processes: each word between services is a message through nats-server. */
const barsOfThree: Readonly<Record<string, Bar>> = {
  "ack latency": latency(2.6, 10),
  "wait latency": latency(3.6, 12),
  "e2e throughput_256_in_flight": rate(9_000),
  "e2e throughput_5000_in_flight": rate(15_000),
  "isolated throughput": rate(400),
  "enqueue throughput": rate(25_000),
  "bulk throughput": rate(25_000),
  "pickup latency": latency(3, 15),
  "load latency": latency(12, 60),
  "kill restart": rate(1.5),
  "recover first_acknowledgement": rate(2),
};

/** The bar of a measurement; undefined if it has none. */
export function barOf({ system, workload, metric, sync, shape }: Pick<Measurement, "system" | "workload" | "metric" | "sync" | "shape">): Bar | undefined {
  if (system !== "runlane") return undefined;
  if (shape === "three") return barsOfThree[`${workload} ${metric}`];
  return bars[`${workload} ${metric}`]?.[sync as Sync];
}

/** A peer's figure as the bar of Runlane's. */
export function asBar({ value, p50, p99, unit }: Figure): Bar {
  return unit === "ms" && p50 !== undefined && p99 !== undefined ? { p50, p99 } : { value };
}

/** How many times as good as its bar a figure is: 1 reaches it, 2 is twice the rate or half the time. One ratio for a value, two for p50 and p99. */
export function ratios(figure: Figure, bar: Bar): readonly number[] {
  if ("p50" in bar) return [bar.p50 / (figure.p50 ?? Number.NaN), bar.p99 / (figure.p99 ?? Number.NaN)];
  return [figure.unit === "runs/s" || figure.unit === "% of empty" ? figure.value / bar.value : bar.value / figure.value];
}
