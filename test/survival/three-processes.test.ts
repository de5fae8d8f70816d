import { expect, onTestFailed, test } from "vitest";
import { supervisorOf } from "../support/processes.js";
import type { ServiceName } from "../support/service-process.js";
import { TestServer } from "../support/test-server.js";
import { Load } from "./load.js";

// In one process: kill-loop.test.ts.
const perSecond = 1_000;
const services: readonly ServiceName[] = ["scheduler", "executor", "queue"];

/** A load on an installation in three processes. */
async function loaded() {
  const server = await TestServer.start({ shape: "three" });
  const three = server.three;
  if (!three) throw new Error("these are not three processes");
  const load = new Load(server, perSecond);
  onTestFailed(() => {
    const programs = [load.client, load.worker.program, ...services.map((service) => three.service(service).program)];
    process.stdout.write(programs.map((program) => `${program.output.slice(-3_000)}\n`).join(""));
  });
  await load.begun();
  const supervisor = supervisorOf(load.worker.program.pid);
  expect(supervisor).toBeDefined();
  /** Waits until so many more triggers are acknowledged, and as many runs have ended as are acknowledged now. */
  const goesOn = async () => {
    const { acknowledgements, endedRuns } = load.ledger();
    const [acknowledged, ended] = [acknowledgements.length + perSecond / 2, endedRuns + perSecond / 4];
    const both = () => load.ledger().acknowledgements.length >= acknowledged && load.ledger().endedRuns >= ended;
    await load.client.until("triggers are acknowledged and executed again", both);
  };
  /** Everything is answered, everything has run, once, in a worker that has lived all the time. */
  const endsWell = async () => {
    const { triggered, refused } = await load.endClient();
    await load.drained(20_000);
    const sameSupervisor = supervisorOf(load.worker.program.pid) === supervisor;
    await load.endWorker();
    const ledger = load.ledger();
    expect(ledger.complaints({ "one-by-one": 1 })).toEqual([]);
    expect(refused).toEqual([]);
    expect(ledger.acknowledgements.length).toBeGreaterThanOrEqual(triggered);
    expect(sameSupervisor, load.worker.program.output).toBe(true);
    expect(load.worker.program.output).not.toContain("has not been reached for too long");
  };
  return { three, load, goesOn, endsWell };
}

test("three processes are replaced one by one under load, then each is SIGKILLed, and nats-server too: nothing is lost, nothing runs twice", {
  timeout: 90_000,
}, async () => {
  const { three, load, goesOn, endsWell } = await loaded();
  // As a rolling update does. Callers and workers notice nothing.
  for (const service of services) {
    const before = three.service(service);
    const { code, tookMs } = await three.restart(service);
    process.stdout.write(`${service}: stopped within ${tookMs} ms under load\n`);
    expect(code, before.program.output).toBe(0);
    expect(tookMs).toBeLessThan(5_000);
    await goesOn();
  }
  for (const service of services) {
    await three.killAndRestart(service);
    await goesOn();
  }
  await three.killNats();
  await goesOn();
  await endsWell();
  // Attempts that were on their way have gone on where they were.
  expect(load.ledger().entries.filter((entry) => entry.attempt > 1)).toEqual([]);
});
