import { workload } from "./workload.js";

const rate = { perSecond: 5_000, seconds: 10 };
const warmUp = { perSecond: 5_000, seconds: 3 };

/** Trigger and wait for the result at 5,000 a second, from the instant at which each call was due. */
export const load = workload("load", ["latency"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("triggerAndWaitAtRate", warmUp);
  const before = stage.processorUse();
  const { n, p50, p99 } = await client.ask("triggerAndWaitAtRate", rate);
  const cpu = stage.processorUse().since(before).perRun(n);
  const note = `due time to result, ${rate.perSecond}/s for ${rate.seconds} s; warm-up ${warmUp.seconds} s; ${cpu}`;
  return [{ metric: "latency", value: p50, unit: "ms", p50, p99, n, note }];
});
