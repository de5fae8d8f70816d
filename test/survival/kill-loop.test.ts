import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { supervisorOf } from "../support/processes.js";
import type { Acknowledgement } from "./lines.js";
import { Load } from "./load.js";
import { MortalServer, type UpTime } from "./mortal-server.js";
import { seededRandom } from "./seeded-random.js";

// RUNLANE_TEST_KILLS=500 makes a night of it; RUNLANE_TEST_SEED=<seed> repeats the moments of another time, though not what else happens in them.
const kills = Number(process.env.RUNLANE_TEST_KILLS ?? 20);
const seed = Number(process.env.RUNLANE_TEST_SEED ?? randomInt(2 ** 31));
/** What must be reached while the server is up, and what the client aims at, in triggers per second. */
const [least, aim] = [2_000, 2_500];
/** The server serves for so long, in milliseconds; then it is killed. */
const [shortest, longest] = [300, 900];
/** Now and then it is killed while it starts, at most so long after its start. */
const startMs = 800;

test(`${kills} SIGKILLs of server and nats-server under load: nothing acknowledged is lost, nothing runs twice`, {
  timeout: 90_000 + kills * 6_000,
}, async () => {
  process.stdout.write(`kill loop: ${kills} kills, seed ${seed}\n`);
  const random = seededRandom(seed);
  const mortal = await MortalServer.start();
  const load = new Load(mortal.server, aim);
  await load.begun();
  const supervisor = supervisorOf(load.worker.program.pid);
  expect(supervisor).toBeDefined();
  const story: string[] = [];
  const note = (what: string) => story.push(`${new Date().toISOString()} ${what}`);
  onTestFailed(() => {
    const words = [mortal.server.program, load.client, load.worker.program].map((program) => program.output.slice(-3_000));
    process.stdout.write([...story, ...words, ""].join("\n"));
  });

  const live = () => sleep(shortest + random() * (longest - shortest));
  for (let kill = 1; kill <= kills; kill++) {
    await live();
    expect(load.client.running && mortal.server.program.running, `before kill ${kill}\n${load.client.output}\n${mortal.server.program.output}`).toBe(true);
    note(`kill ${kill}`);
    await mortal.kill();
    // Now and then other deaths as well: while it starts, or without nats-server.
    if (kill % 5 === 0) await mortal.killWhileStarting(random() * startMs);
    await mortal.restart();
    note(`it serves again; ${load.ledger().openRuns} runs are open`);
    if (kill % 10 !== 3) continue;
    await live();
    await mortal.killServerOnly();
    await mortal.restart();
    note(`it serves again, with the nats-server of before; ${load.ledger().openRuns} runs are open`);
  }
  const client = await load.endClient();
  note(`all triggers are answered; ${load.ledger().openRuns} runs are open`);
  const ledger = await load.drained(20_000);
  note(`${ledger.openRuns} runs are open`);
  const sameSupervisor = supervisorOf(load.worker.program.pid) === supervisor;
  await load.endWorker();

  // The server was never away for a lease. If it was, this machine is too busy for this test: the worker must then end its attempts, and they run again.
  expect(load.worker.program.output).not.toContain("has not been reached for too long");
  const report = { triggered: client.triggered, acknowledged: ledger.acknowledgements.length, ...rate(ledger.acknowledgements, mortal.upTimes) };
  process.stdout.write(`kill loop: ${JSON.stringify(report)}\n`);
  expect(load.ledger().complaints({ "one-by-one": 1 }), `seed ${seed}`).toEqual([]);
  expect(client.refused).toEqual([]);
  expect(ledger.acknowledgements.length).toBeGreaterThanOrEqual(client.triggered);
  // The worker has lived through all of it, and the load was as heavy as it is said to be.
  expect(sameSupervisor, load.worker.program.output).toBe(true);
  expect(report.acknowledgedPerSecond).toBeGreaterThanOrEqual(least);
});

/** How long the server was up and away, and the acknowledgements that came while it was up. */
function rate(acknowledgements: readonly Acknowledgement[], upTimes: readonly UpTime[]) {
  const upSeconds = upTimes.reduce((sum, { from, to }) => sum + (to - from) / 1_000, 0);
  const count = acknowledgements.filter(({ acknowledgedAt: at }) => upTimes.some(({ from, to }) => from <= at && at < to)).length;
  const outages = upTimes.slice(1).map(({ from }, i) => from - (upTimes[i]?.to ?? from));
  return { upSeconds, longestOutageMs: Math.max(...outages), acknowledgedPerSecond: Math.round(count / upSeconds) };
}
