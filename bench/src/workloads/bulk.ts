import { workload } from "./workload.js";

const count = 20_000;
const size = 500;
const warmUp = 10_000;

/** Batches of 500, one after the other, no worker. */
export const bulk = workload("bulk", ["throughput"], async (stage) => {
  const client = stage.startClient();
  await client.ask("batchTrigger", warmUp, size);
  const before = stage.processorUse();
  const { p50, p99, seconds } = await client.ask("batchTrigger", count, size);
  const cpu = stage.processorUse().since(before).perRun(count);
  const note = `batches of ${size}, one after the other, no worker; latencies are a batch's; warm-up ${warmUp}; ${cpu}`;
  return [{ metric: "throughput", value: count / seconds, unit: "runs/s", p50, p99, n: count, note }];
});
