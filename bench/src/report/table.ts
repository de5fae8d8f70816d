import { asBar, type Bar, barOf, ratios } from "../bars.js";
import type { Measurement } from "../measurement.js";

const columns = ["workload", "metric", "value", "p50 ms", "p99 ms", "n", "bar", "times the bar"] as const;
const widths = [9, 29, 14, 8, 8, 8, 12, 15];
const leftAligned = 2;
const names = { runlane: "Runlane", bullmq: "BullMQ" } as const;

/** The head of the table for people. */
export function tableHead(): string {
  return row(columns);
}

/** A line of the table, and the note below it. A ratio below 1, which misses its bar, is followed by an exclamation mark. */
export function tableRow(measurement: Measurement): string {
  const { workload, metric, value, unit, p50, p99, n, note } = measurement;
  const bar = barOf(measurement);
  const times = bar ? ratios(measurement, bar).map((ratio) => `${ratio.toFixed(2)}${ratio < 1 ? "!" : ""}`) : [];
  const cells = [workload, metric, `${number(value)} ${unit}`, number(p50), number(p99), number(n), bar ? barText(bar) : "", times.join(" / ")];
  return `${row(cells)}\n${" ".repeat(widths[0]! + 2)}${note}`;
}

/** A line of the table with a peer's figure, how many times as good Runlane's is, and the note below it. */
export function peerRow(peer: Measurement, own: Measurement): string {
  const { system, value, unit, p50, p99, n, sync, note } = peer;
  const times = ratios(own, asBar(peer)).map((ratio) => `${ratio.toFixed(2)}×`);
  const cells = ["", `${names[system]}, ${sync}`, `${number(value)} ${unit}`, number(p50), number(p99), number(n), "Runlane is", times.join(" / ")];
  return `${row(cells)}\n${" ".repeat(widths[0]! + 2)}${note}`;
}

function barText(bar: Bar): string {
  return "p50" in bar ? `${bar.p50} / ${bar.p99}` : number(bar.value);
}

function number(value: number | undefined): string {
  if (value === undefined) return "";
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 2;
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index < leftAligned ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
    .join("  ")
    .trimEnd();
}
