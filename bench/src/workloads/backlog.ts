import { nowMs } from "../clock.js";
import { settledMemory } from "./settled-memory.js";
import { ownWorkload } from "./workload.js";

const queued = 1_000_000;
const keys = 100_000;
/** Runs by which a rate is measured. */
const sample = 20_000;
const inFlight = 256;
const warmUp = 10_000;

/**
 * A million queued runs of a hundred thousand concurrency keys: what each costs in memory, whether triggering and starting are slower with them than without, and how long the server takes to be back
 * with them.
 */
export const backlog = ownWorkload(
  "backlog",
  ["memory_per_run", "enqueue_with_backlog", "dispatch_with_backlog", "restart"],
  async (stage) => {
    // Its tasks are known to the server from here on.
    const first = stage.startWorker();
    const client = stage.startClient();
    await client.ask("triggerKeyed", 0, warmUp, keys, inFlight);
    await client.ask("drain", "keyed-order", warmUp, 1);
    await first.program.stop();

    const enqueueEmpty = await client.ask("triggerKeyed", 0, sample, keys, inFlight);
    await client.ask("fillBacklog", sample, sample, keys);
    const second = stage.startWorker();
    const dispatchEmpty = await client.ask("drain", "keyed-order", 2 * sample - 2_000, 2_000);
    await client.ask("drain", "keyed-order", sample, 1);
    await second.program.stop();

    const before = await settledMemory(stage);
    await client.ask("fillBacklog", 0, queued, keys);
    const after = await settledMemory(stage);
    const enqueueFull = await client.ask("triggerKeyed", queued, sample, keys, inFlight);

    await client.ask("beginLoad", 100);
    const killedMs = await stage.server.kill();
    const acknowledged = client.ask("firstAcknowledgement", nowMs());
    const [acknowledgedMs] = await Promise.all([acknowledged, stage.restartServer()]);

    stage.startWorker();
    const dispatchFull = await client.ask("drain", "keyed-order", queued + sample - 2_000, queued - sample);
    const rate = ({ runs, seconds }: { runs: number; seconds: number }) => runs / seconds;
    const enqueueRatio = (100 * (sample / enqueueFull.seconds)) / (sample / enqueueEmpty.seconds);
    const note = `${queued} queued runs, ${keys} concurrency keys`;
    return [
      { metric: "memory_per_run", value: (after - before) / queued, unit: "B", n: queued, note: `${note}; resident memory of server and nats-server` },
      {
        metric: "enqueue_with_backlog",
        value: enqueueRatio,
        unit: "% of empty",
        n: sample,
        note: `${note}; singles, ${inFlight} in flight, ${Math.round(sample / enqueueEmpty.seconds)} runs/s without them`,
      },
      {
        metric: "dispatch_with_backlog",
        value: (100 * rate(dispatchFull)) / rate(dispatchEmpty),
        unit: "% of empty",
        n: dispatchFull.runs,
        note: `${note}; ${Math.round(rate(dispatchEmpty))} starts/s without them`,
      },
      { metric: "restart", value: (acknowledgedMs - killedMs) / 1_000, unit: "s", n: 1, note: `${note}; SIGKILL of the server to its first acknowledgement` },
    ];
  },
  { onRequest: true, limitMs: 600_000 },
);
