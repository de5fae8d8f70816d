import { nowMs, sleep } from "../clock.js";
import { ownWorkload } from "./workload.js";

// A run is at least two events, its assignment and its end; creations and acceptances are several to an event.
const finished = 100_000;
const perSecond = 2_000;
const loadBeforeKillMs = 2_000;

/** SIGKILL of the server and its nats-server under load: how long until a trigger that was called afterwards is acknowledged. The server is started again at once. */
export const recover = ownWorkload("recover", ["first_acknowledgement"], async (stage) => {
  stage.startWorker();
  const client = stage.startClient();
  await client.ask("triggerAndWait", finished, 2_000);
  await client.ask("beginLoad", perSecond);
  await sleep(loadBeforeKillMs);
  const killedMs = await stage.server.kill();
  const acknowledged = client.ask("firstAcknowledgement", nowMs());
  const [acknowledgedMs] = await Promise.all([acknowledged, stage.restartServer()]);
  const note = `${finished} finished runs, more than 200,000 events, in the log; ${perSecond} triggers/s; the server is started again at once`;
  return [{ metric: "first_acknowledgement", value: (acknowledgedMs - killedMs) / 1_000, unit: "s", n: 1, note }];
});
