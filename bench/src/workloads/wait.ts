import { workload } from "./workload.js";

const count = 500;
const warmUp = 500;

/** Trigger and wait for the result, one at a time. */
export const wait = workload("wait", ["latency"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("triggerAndWait", warmUp, 1);
  const before = stage.processorUse();
  const { n, p50, p99 } = await client.ask("triggerAndWait", count, 1);
  const cpu = stage.processorUse().since(before).perRun(n);
  return [{ metric: "latency", value: p50, unit: "ms", p50, p99, n, note: `trigger to result, one at a time; warm-up ${warmUp}; ${cpu}` }];
});
