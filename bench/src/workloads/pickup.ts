import { workload } from "./workload.js";

const rate = { perSecond: 200, seconds: 10 };
const warmUp = { perSecond: 200, seconds: 3 };

/** How long after the call of a trigger the task's code starts, at 200 triggers a second. */
export const pickup = workload("pickup", ["latency"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("triggerAtRate", warmUp);
  const before = stage.processorUse();
  const { n, p50, p99 } = await client.ask("triggerAtRate", rate);
  const cpu = stage.processorUse().since(before).perRun(n);
  const note = `trigger call to start of the code, ${rate.perSecond}/s for ${rate.seconds} s; warm-up ${warmUp.seconds} s; ${cpu}`;
  return [{ metric: "latency", value: p50, unit: "ms", p50, p99, n, note }];
});
