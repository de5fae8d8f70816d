import { nowMs } from "../clock.js";
import { settledMemory } from "./settled-memory.js";
import { ownWorkload } from "./workload.js";

const finished = 10_000_000;

/** A server at rest, with ten million finished runs behind it, is killed: how long until it acknowledges again. */
export const finishedBehind = ownWorkload(
  "finished",
  ["restart"],
  async (stage) => {
    // The task is known to the server from here on.
    const worker = stage.startWorker();
    const client = stage.startClient();
    await client.ask("triggerKeyed", 0, 1, 1, 1);
    await client.ask("drain", "keyed-order", 1, 1);
    await worker.program.stop();
    await client.ask("finishWithoutWorker", finished);
    // Without this it would be asked how long a replay takes of what came while the last snapshot was written; that is what `recover` asks.
    await settledMemory(stage);
    await client.ask("beginLoad", 100);
    const killedMs = await stage.server.kill();
    const acknowledged = client.ask("firstAcknowledgement", nowMs());
    const [acknowledgedMs] = await Promise.all([acknowledged, stage.restartServer()]);
    const note = `${finished} runs that expired behind it; SIGKILL of the server to its first acknowledgement`;
    return [{ metric: "restart", value: (acknowledgedMs - killedMs) / 1_000, unit: "s", n: 1, note }];
  },
  { onRequest: true, limitMs: 1_800_000 },
);
