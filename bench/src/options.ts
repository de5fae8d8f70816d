import { parseArgs } from "node:util";

/** When nats-server writes to disk. `always`: before it acknowledges. `lazy`: every two minutes; power loss may lose what was acknowledged. */
export type Sync = "always" | "lazy";

/** `one`: all services in one process, with a nats-server of its own. `three`: each in one of its own, with a nats-server that they share. */
export type Shape = "one" | "three";

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of workloads, in the order in which they are run. */
  readonly workloads: readonly string[];
  readonly sync: Sync;
  readonly shape: Shape;
  /** Systems that play the same workloads in the same sitting, where they can. */
  readonly peers: readonly "bullmq"[];
  /** How often each workload is measured, each time from scratch; medians are told. */
  readonly runs: number;
  /** One JSON object a line on standard output, and everything else on standard error. */
  readonly json: boolean;
}

/** How the command is used. */
export function usage(workloads: readonly string[]): string {
  return `usage: npm run bench -- [--workloads ${workloads.join(",")}] [--sync always|lazy] [--shape one|three] [--peers bullmq] [--runs N] [--json]`;
}

/**
 * Reads the command line. Defaults: the workloads `byDefault`, sync always, shape one, one run.
 *
 * @throws Error for what it does not know
 */
export function readOptions(args: readonly string[], known: readonly string[], byDefault = known): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workloads: { type: "string", default: byDefault.join(",") },
      sync: { type: "string", default: "always" },
      shape: { type: "string", default: "one" },
      peers: { type: "string", default: "" },
      runs: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const workloads = values.workloads.split(",").map((name) => name.trim());
  const unknown = workloads.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no workload ${JSON.stringify(unknown)}`);
  if (values.sync !== "always" && values.sync !== "lazy") throw new Error(`--sync is always or lazy, not ${JSON.stringify(values.sync)}`);
  if (values.shape !== "one" && values.shape !== "three") throw new Error(`--shape is one or three, not ${JSON.stringify(values.shape)}`);
  if (values.shape === "three" && values.sync !== "always") throw new Error("--shape three has --sync always: services in several processes have no other");
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is a whole number from 1, not ${JSON.stringify(values.runs)}`);
  const peers = values.peers.split(",").filter((name) => name !== "");
  const stranger = peers.find((name) => name !== "bullmq");
  if (stranger !== undefined) throw new Error(`--peers is bullmq, not ${JSON.stringify(stranger)}`);
  return { workloads, peers: [...new Set(peers)] as "bullmq"[], sync: values.sync, shape: values.shape, runs, json: values.json };
}
