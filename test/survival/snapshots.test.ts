import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { Load } from "./load.js";
import { MortalServer } from "./mortal-server.js";
import { seededRandom } from "./seeded-random.js";

// RUNLANE_TEST_KILLS and RUNLANE_TEST_SEED are those of the kill loop.
const kills = Number(process.env.RUNLANE_TEST_KILLS ?? 4);
const seed = Number(process.env.RUNLANE_TEST_SEED ?? randomInt(2 ** 31));
/** Triggers in a second: so many that a snapshot is due all the time. */
const aim = 1_000;
const every = 1_000;
/** A snapshot takes about so long, in milliseconds, most of which is its thread's start. */
const writingMs = 600;
const patience = 30_000;

test(`${kills} SIGKILLs of server and nats-server, while a snapshot is written and right after a purge: nothing acknowledged is lost, nothing runs twice`, {
  timeout: 90_000 + kills * 10_000,
}, async () => {
  process.stdout.write(`kills around snapshots: ${kills} kills, seed ${seed}\n`);
  const random = seededRandom(seed);
  const mortal = await MortalServer.start("--snapshot-every", String(every));
  const load = new Load(mortal.server, aim);
  onTestFailed(() => {
    process.stdout.write([mortal.server.program, load.client, load.worker.program].map((program) => program.output.slice(-3_000)).join("\n"));
  });
  await load.begun();
  const lines = (message: string) => mortal.server.program.output.split("\n").filter((line) => line.includes(`"msg":"${message}"`));
  const served: number[] = [];
  let purges = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const { program } = mortal.server;
    if (kill % 2 === 1) {
      await program.until("a snapshot is being written", () => lines("a snapshot is being written").length > 0, patience);
      await sleep(random() * writingMs);
    } else {
      await program.until("the log is purged", () => lines("a snapshot is written").some((line) => JSON.parse(line).purgedTo > 1), patience);
      purges += 1;
    }
    await mortal.kill();
    await mortal.restart();
    const [line = "{}"] = await mortal.server.program.until("the partition is served", () => lines("partition served"), patience);
    served.push(JSON.parse(line).snapshot);
  }
  const client = await load.endClient();
  const ledger = await load.drained(patience);
  await load.endWorker();
  process.stdout.write(`kills around snapshots: ${ledger.acknowledgements.length} acknowledged, restarts from snapshots at ${served.join(", ")}\n`);
  expect(load.worker.program.output).not.toContain("has not been reached for too long");
  expect(load.ledger().complaints({ "one-by-one": 1 }), `seed ${seed}`).toEqual([]);
  expect(client.refused).toEqual([]);
  expect(ledger.acknowledgements.length).toBeGreaterThanOrEqual(client.triggered);
  // What was purged came back from a snapshot.
  expect(purges).toBe(Math.floor(kills / 2));
  expect(served.at(-1)).toBeGreaterThan(0);
});
