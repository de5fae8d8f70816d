import type { Stage } from "../stage/stage.js";
import type { CommonWorkload, Scene } from "./workload.js";

const count = 50_000;
const warmUp = 10_000;
const windows = [256, 5_000];

/** From the first trigger until every run has completed and its result is known to the client. */
export const endToEnd: CommonWorkload = { name: "e2e", metrics: windows.map(metricOf), scenes: windows.map(scene), common: true };

function metricOf(most: number): string {
  return `throughput_${most}_in_flight`;
}

function scene(most: number): Scene<Stage> {
  return async (stage) => {
    stage.startWorker();
    const client = stage.startClient();
    await client.ask("triggerAndWait", warmUp, most);
    const before = stage.processorUse();
    const { n, p50, p99, seconds } = await client.ask("triggerAndWait", count, most);
    const cpu = stage.processorUse().since(before).perRun(n);
    return [{ metric: metricOf(most), value: n / seconds, unit: "runs/s", p50, p99, n, note: `${most} in flight; warm-up ${warmUp}; ${cpu}` }];
  };
}
