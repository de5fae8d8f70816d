import { sleep } from "../clock.js";
import { ownWorkload } from "./workload.js";

const settleMs = 5_000;
const seconds = 15;

/** Processor time and memory of all server processes while a worker is connected and nothing happens. */
export const idle = ownWorkload("idle", ["cpu", "memory"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("triggerAndWait", 100, 1);
  await client.program.stop();
  await sleep(settleMs);
  const before = stage.serverUse();
  await sleep(seconds * 1_000);
  const after = stage.serverUse();
  const cpu = (after.processorMs - before.processorMs) / (seconds * 10);
  const note = `server and nats-server, one worker connected; after 100 runs and ${settleMs / 1_000} s`;
  return [
    { metric: "cpu", value: cpu, unit: "%", n: seconds, note: `${note}; of one core, over ${seconds} s` },
    { metric: "memory", value: after.memory / 1e6, unit: "MB", n: after.processes, note: `${note}; resident memory of ${after.processes} processes` },
  ];
});
