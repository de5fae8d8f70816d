import { ownWorkload } from "./workload.js";

const count = 2_000;
const warmUp = 200;
const most = 8;

/** Runs of a task that does nothing, each in a process of its own. */
export const isolated = ownWorkload("isolated", ["throughput"], async (stage) => {
  stage.startWorker("process");
  const client = stage.startClient();
  await client.ask("triggerAndWait", warmUp, most);
  const before = stage.processorUse();
  const { n, p50, p99, seconds } = await client.ask("triggerAndWait", count, most);
  const cpu = stage.processorUse().since(before).perRun(n);
  return [{ metric: "throughput", value: n / seconds, unit: "runs/s", p50, p99, n, note: `${most} in flight; warm-up ${warmUp}; ${cpu}` }];
});
