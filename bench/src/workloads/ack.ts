import { workload } from "./workload.js";

const count = 1_000;
const warmUp = 500;

/** One trigger in flight: how long until it is acknowledged. */
export const ack = workload("ack", ["latency"], async (stage) => {
  const client = stage.startClient();
  await client.ask("trigger", warmUp, 1);
  const before = stage.processorUse();
  const { n, p50, p99 } = await client.ask("trigger", count, 1);
  const cpu = stage.processorUse().since(before).perRun(n);
  return [{ metric: "latency", value: p50, unit: "ms", p50, p99, n, note: `one trigger in flight, no worker; warm-up ${warmUp}; ${cpu}` }];
});
