import { measure } from "./measure.js";
import { jsonLine } from "./measurement.js";
import { type BenchOptions, readOptions, usage } from "./options.js";
import { disk, machine } from "./report/machine.js";
import { tableHead, tableRow } from "./report/table.js";
import { natsServerVersion, runlaneVersion } from "./report/versions.js";
import { Stage } from "./stage/stage.js";
import { workloads } from "./workloads/index.js";

const names = workloads.map((workload) => workload.name);
const durability = {
  always: "sync always: what is acknowledged has been fsynced",
  lazy: "sync lazy: nats-server writes to disk every two minutes; what is acknowledged survives the death of processes, not of the machine",
};

/** Runs the bench. Returns the exit code: 0 if every workload could be measured, whether or not it reached its bar; 1 if not; 2 for a command line that makes no sense. */
async function main(): Promise<number> {
  let options: BenchOptions;
  try {
    options = readOptions(process.argv.slice(2), names);
  } catch (error) {
    console.error(`${messageOf(error)}\n${usage(names)}`);
    return 2;
  }
  // Programs read standard output.
  const say = options.json ? console.error : console.log;
  say(`${machine()}\n${disk()}`);
  say(`Runlane ${runlaneVersion()}, nats-server ${await usedNatsServer(options)}; ${durability[options.sync]}`);
  say("server, nats-server, worker and client share this machine; all services in one process\n");
  if (!options.json) say(tableHead());
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  let failed = 0;
  for (const workload of workloads.filter((one) => options.workloads.includes(one.name)).sort(inOrderOf(options.workloads))) {
    try {
      for (const figure of await measure(workload, options, stop.signal)) {
        const measurement = { ...figure, workload: workload.name, sync: options.sync, shape: options.shape };
        console.log(options.json ? jsonLine(measurement) : tableRow(measurement));
      }
    } catch (error) {
      failed += 1;
      console.error(`${workload.name} failed: ${messageOf(error)}`);
      if (stop.signal.aborted) break;
    }
  }
  return failed === 0 ? 0 : 1;
}

/** Version of the nats-server that servers start here. */
async function usedNatsServer({ sync }: BenchOptions): Promise<string> {
  const stage = await Stage.set(sync);
  try {
    return natsServerVersion(stage.server.children());
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
