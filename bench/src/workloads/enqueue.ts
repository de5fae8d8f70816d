import { workload } from "./workload.js";

const count = 20_000;
const most = 256;
const warmUp = 10_000;

/** Single triggers, 256 in flight, no worker. */
export const enqueue = workload("enqueue", ["throughput"], async (stage) => {
  const client = stage.startClient();
  await client.ask("trigger", warmUp, most);
  const before = stage.processorUse();
  const { n, p50, p99, seconds } = await client.ask("trigger", count, most);
  const cpu = stage.processorUse().since(before).perRun(n);
  return [{ metric: "throughput", value: n / seconds, unit: "runs/s", p50, p99, n, note: `singles, ${most} in flight, no worker; warm-up ${warmUp}; ${cpu}` }];
});
