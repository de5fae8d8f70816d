import { type Contender, describePeers, peerContenders, runlaneContender } from "./contender.js";
import { type Found, measure } from "./measure.js";
import { type Figure, jsonLine, type Measurement } from "./measurement.js";
import { type BenchOptions, readOptions, usage } from "./options.js";
import { disk, machine } from "./report/machine.js";
import { peerRow, tableHead, tableRow } from "./report/table.js";
import { natsServerVersion, runlaneVersion } from "./report/versions.js";
import { RunlaneStage } from "./stage/runlane-stage.js";
import type { Stage } from "./stage/stage.js";
import { workloads } from "./workloads/index.js";
import type { Workload } from "./workloads/workload.js";

const names = workloads.map((workload) => workload.name);
const byDefault = workloads.filter((workload) => !workload.onRequest).map((workload) => workload.name);
const durability = {
  always: "sync always: what is acknowledged has been fsynced",
  lazy: "sync lazy: nats-server writes to disk every two minutes; what is acknowledged survives the death of processes, not of the machine",
};

const shapes = { one: "all services in one process", three: "scheduler, queue and executor in a process each" };

/** Runs the bench. Returns the exit code: 0 if every workload could be measured, whether or not it reached its bar; 1 if not; 2 for a command line that makes no sense. */
async function main(): Promise<number> {
  let options: BenchOptions;
  try {
    options = readOptions(process.argv.slice(2), names, byDefault);
  } catch (error) {
    console.error(`${messageOf(error)}\n${usage(names)}`);
    return 2;
  }
  // Programs read standard output.
  const say = options.json ? console.error : console.log;
  say(`${machine()}\n${disk()}`);
  say(`Runlane ${runlaneVersion()}, nats-server ${await usedNatsServer(options)}; ${durability[options.sync]}`);
  if (options.peers.length > 0) say(describePeers());
  say(`server, nats-server, worker and client share this machine; ${shapes[options.shape]}\n`);
  if (!options.json) say(tableHead());
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  let failed = 0;
  for (const workload of workloads.filter((one) => options.workloads.includes(one.name)).sort(inOrderOf(options.workloads))) {
    try {
      for (const line of await measurements(workload, options, stop.signal)) console.log(line);
    } catch (error) {
      failed += 1;
      console.error(`${workload.name} failed: ${messageOf(error)}`);
      if (stop.signal.aborted) break;
    }
  }
  return failed === 0 ? 0 : 1;
}

/** Measures a workload, of Runlane and of the peers that can play it. Returns the lines that tell of it. */
async function measurements(workload: Workload, options: BenchOptions, stop: AbortSignal): Promise<string[]> {
  const { json, runs, shape } = options;
  const { limitMs } = workload;
  const own = runlaneContender(options);
  const found: readonly Found<Contender>[] = workload.common
    ? await measure<Stage, Contender>(workload.scenes, [own, ...peerContenders(options)], runs, stop, limitMs)
    : await measure(workload.scenes, [own], runs, stop, limitMs);
  const tell = ({ contender: { system, sync } }: Found<Contender>, figure: Figure): Measurement => ({
    ...figure,
    workload: workload.name,
    system,
    sync,
    shape,
  });
  const [first, ...peers] = found;
  return first!.figures.flatMap((figure, index) => {
    const measurement = tell(first!, figure);
    const ofPeers = peers.map((peer) => tell(peer, peer.figures[index]!));
    return json ? [measurement, ...ofPeers].map(jsonLine) : [tableRow(measurement), ...ofPeers.map((peer) => peerRow(peer, measurement))];
  });
}

/** Version of the nats-server that servers start here. */
async function usedNatsServer({ sync, shape }: BenchOptions): Promise<string> {
  const stage = await RunlaneStage.set(sync, shape);
  try {
    return natsServerVersion(stage.serverProcesses());
  } finally {
    await stage.clear();
  }
}

function inOrderOf(order: readonly string[]): (a: { name: string }, b: { name: string }) => number {
  return (a, b) => order.indexOf(a.name) - order.indexOf(b.name);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(messageOf(error));
  return 1;
});
