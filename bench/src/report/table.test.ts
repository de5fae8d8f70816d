import { expect, test } from "vitest";
import type { Measurement } from "../measurement.js";
import { peerRow, tableHead, tableRow } from "./table.js";

const measured = { system: "runlane", sync: "always", shape: "one", n: 50_000, note: "how" } as const;

test("a rate stands beside its bar, in columns", () => {
  const e2e: Measurement = { ...measured, workload: "e2e", metric: "throughput_256_in_flight", value: 18_000.4, unit: "runs/s", p50: 10, p99: 20.126 };
  const [head, line, note] = [tableHead(), ...tableRow(e2e).split("\n")];
  expect(line?.split(/ {2,}/)).toEqual(["e2e", "throughput_256_in_flight", "18,000 runs/s", "10", "20.13", "50,000", "12,000", "1.50"]);
  expect(line?.length).toBe(head.length);
  expect(note?.trim()).toBe("how");
});

test("what misses its bar is marked", () => {
  const ack: Measurement = { ...measured, workload: "ack", metric: "latency", value: 3.2, unit: "ms", p50: 3.2, p99: 4 };
  expect(tableRow(ack)).toContain("1.6 / 8");
  expect(tableRow(ack)).toContain("0.50! / 2.00\n");
});

test("a peer's figure stands below with how many times as good Runlane's is", () => {
  const own: Measurement = { ...measured, workload: "wait", metric: "latency", value: 2, unit: "ms", p50: 2, p99: 8 };
  const line = peerRow({ ...own, system: "bullmq", sync: "everysec", value: 3, p50: 3, p99: 12 }, own).split("\n")[0]!;
  expect(line.trim().split(/ {2,}/)).toEqual(["BullMQ, everysec", "3 ms", "3", "12", "50,000", "Runlane is", "1.50× / 1.50×"]);
  const rate: Measurement = { ...measured, workload: "e2e", metric: "throughput", value: 20_000, unit: "runs/s" };
  expect(peerRow({ ...rate, system: "bullmq", value: 5_000 }, rate)).toContain("4.00×");
});
