import { ownWorkload } from "./workload.js";

const count = 10_000;
const warmUp = 1_000;

/** A queue whose limit is 1, and a task that does nothing: starts a second, one after the other. */
export const series = ownWorkload("series", ["throughput"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("fillSeries", count + warmUp);
  const { runs, seconds } = await client.ask("drain", "serial-order", count, 1);
  return [{ metric: "throughput", value: runs / seconds, unit: "runs/s", n: runs, note: "one queue of limit 1; each start waits for the end before" }];
});
