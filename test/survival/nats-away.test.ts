import { setTimeout as sleep } from "node:timers/promises";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { suspend } from "../support/processes.js";
import { type Refusal, Stranger } from "../support/stranger.js";
import { TestServer } from "../support/test-server.js";
import { Load } from "./load.js";
import { natsServerOf } from "./mortal-server.js";

// nats-server is away while much is going on, and the server stays. Without load: ../nats-away.test.ts.
const perSecond = 1_000;
/** Longer than a worker may take to accept what it is given, and shorter than its lease. */
const hangMs = 7_000;
const { triggerTasks } = RunService.method;

function natsOf(server: TestServer): number {
  const pid = natsServerOf(server.data);
  if (pid === undefined) throw new Error("the server has no nats-server");
  return pid;
}

/** Triggers by unary calls until one is refused. The refusal. */
async function refused(stranger: Stranger): Promise<Refusal> {
  const call = () => stranger.call(triggerTasks, { requestId: "", items: [{ taskId: "of-nobody" }] }, 20_000);
  const refusal = () =>
    call().then(
      () => undefined,
      (refusal: Refusal) => refusal,
    );
  return await eventually("a unary trigger is refused", refusal);
}

/** The load ends as it should: all triggers are answered, all runs have completed, once; and the server was always the same. */
async function endWell(server: TestServer, load: Load): Promise<void> {
  const { triggered, refused } = await load.endClient();
  const ledger = await load.drained(20_000);
  await load.endWorker();
  expect(load.ledger().complaints({ "one-by-one": 1 })).toEqual([]);
  expect(refused).toEqual([]);
  expect(ledger.acknowledgements.length).toBeGreaterThanOrEqual(triggered);
  expect(server.program.running).toBe(true);
}

/** Waits until so many more triggers are acknowledged. */
async function acknowledgedMore(load: Load, count: number): Promise<void> {
  const before = load.ledger().acknowledgements.length;
  await load.client.until("triggers are acknowledged again", () => load.ledger().acknowledgements.length >= before + count);
}

test("nats-server hangs, and is killed again and again, under load: strangers are told when to come back, the SDK does by itself, nothing is lost or runs twice", async () => {
  const server = await TestServer.start();
  const load = new Load(server, perSecond);
  await load.begun();

  const nats = natsOf(server);
  await suspend(nats);
  onTestFinished(() => resume(nats));
  const [refusal] = await Promise.all([refused(new Stranger(server.address, server.secretKey)), sleep(hangMs)]);
  resume(nats);
  expect(refusal).toMatchObject({ code: "UNAVAILABLE", domain: "runlane.dev" });
  expect(refusal.retryDelayMs).toBeGreaterThan(0);
  await acknowledgedMore(load, perSecond);

  for (let time = 0; time < 4; time++) {
    process.kill(natsOf(server), "SIGKILL");
    await acknowledgedMore(load, perSecond / 2);
  }
  await endWell(server, load);
});

function resume(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has ended meanwhile.
  }
}
